"""Mail: one message (`.eml`), or a box of them (`.mbox`), a page each: subject, sender, receivers, date, then the body.

The body is the plain text, or the HTML where there is no plain text. Attachments are named and left out.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message

from dmdoc.document.markup import markup_text
from dmdoc.document.source import Extracted, Source, left_out
from dmdoc.errors import ExtractionError
from dmdoc.text.normalise import normalise_text

_HEADERS = ("Subject", "From", "To", "Cc", "Date")
_ENCODED = re.compile(r"=\?[^?\s]*\?[bq]\?[^?\s]*\?=", re.IGNORECASE)
_BETWEEN_ENCODED = re.compile(r"(?<=\?=)\s+(?==\?)")
_BOX_START = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\n(?=[!-9;-~]+:)")
"""A message begins after a blank line, with a header under its first line."""

_QUOTED_START = re.compile(rb"^>(>*From )", re.MULTILINE)
"""How a box writes a line of a message that begins as the next message would."""


def read(source: Source) -> Extracted:
    """The text of a message.

    Raises:
        ExtractionError: it has none of the headers of a message.
    """
    return _read(source, [source.data])


def read_box(source: Source) -> Extracted:
    """The text of every message of a box.

    Raises:
        ExtractionError: as `read`, of any message.
    """
    messages = [_QUOTED_START.sub(rb"\1", part) for part in _BOX_START.split(source.data) if part.strip()]
    return _read(source, messages)


def _read(source: Source, messages: list[bytes]) -> Extracted:
    source.check_size(len(source.data))
    pages, missing = [], []
    for data in messages:
        # The parser of compat32 is linear; that of newer policies is not.
        message = message_from_bytes(data, policy=policy.compat32)
        headers = [f"{name}: {_decoded(str(message[name]))}" for name in _HEADERS if message[name]]
        if not headers:
            raise ExtractionError(f"{source.label} is not a mail: it has no subject, sender or date")
        pages.append(normalise_text("\n".join(headers) + "\n\n" + _body(message)))
        missing += [_attachment(part) for part in _leaves(message) if _is_attached(part)]
    return Extracted(tuple(pages), "mail", left_out({}, missing))


def _body(message: Message) -> str:
    """The plain texts of a message, or its HTML texts if there are none."""
    parts = [part for part in _leaves(message) if not _is_attached(part)]
    plain = [_text(part) for part in parts if part.get_content_type() == "text/plain"]
    if any(text.strip() for text in plain):
        return "\n\n".join(plain)
    return "\n\n".join(markup_text(_text(part)) for part in parts)


def _leaves(message: Message) -> Iterator[Message]:
    """The parts of a message that have no parts, in order."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        inner = part.get_payload()
        if part.is_multipart() and isinstance(inner, list):
            waiting += [each for each in reversed(inner) if isinstance(each, Message)]
        else:
            yield part


def _is_attached(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or part.get_content_maintype() != "text"


def _attachment(part: Message) -> str:
    return f"attachment {_decoded(part.get_filename() or part.get_content_type())}"


def _text(part: Message) -> str:
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)  # as every part without parts gives
    charset = part.get_content_charset()
    for encoding in (charset, "utf-8"):
        try:
            return data.decode(encoding or "utf-8")
        except (LookupError, UnicodeError):
            continue
    return data.decode("cp1252", errors="replace")


def _decoded(header: str) -> str:
    """A header in one line, its encoded words decoded."""
    # Word by word, because decode_header takes time in proportion to the square of their number.
    return " ".join(_ENCODED.sub(_decoded_word, _BETWEEN_ENCODED.sub("", header)).split())


def _decoded_word(word: re.Match[str]) -> str:
    with suppress(LookupError, UnicodeError, ValueError):
        return str(make_header(decode_header(word[0])))
    return word[0]  # as it stands
