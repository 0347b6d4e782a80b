"""Plain text, Markdown and source code: bytes → pages, kept as they are written; a form feed is a page break.

UTF-8, UTF-16, and what charset-normalizer takes the rest for. Short texts in other
encodings can be taken for a neighbouring one: it is a guess, and `Extraction.reader` says which.
"""

import re

from dmdoc.document.source import Extracted, Source
from dmdoc.errors import ExtractionError
from dmdoc.text.normalise import normalise_text, remove_running_lines

LEGACY_ENCODINGS = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
)
"""What text that is not Unicode may be in; rarer ones would only make the guess about these worse."""

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_ADVICE = "give a document of a format that docs/formats.md lists"

NULS = 1 / 1000
"""The share of a text's characters that may be NUL, a fault of what wrote it; two in any text."""

_UTF16_NULS = 1 / 20
"""The least share of NULs among the bytes of UTF-16 that has no byte order mark."""


def read(source: Source) -> Extracted:
    """The text of the source.

    Raises:
        ExtractionError: it is binary, or in no encoding that fits.
    """
    text, encoding = decode(source)
    # A form feed also closes the last page in what pagers and pdftotext write; it does not open another.
    pages = [normalise_text(page) for page in text.removesuffix("\f").split("\f")]
    reader = "text" if encoding.startswith("utf") else f"text ({encoding})"
    return Extracted(remove_running_lines(pages), reader, _replaced(source, encoding))


def _replaced(source: Source, encoding: str) -> tuple[str, ...]:
    """The warning that NULs of the text were replaced."""
    nuls = source.data.count(0) if encoding == "utf-8" else 0
    return (f"replaced {nuls} NUL character{'s' if nuls > 1 else ''} by \ufffd",) if nuls else ()


def decode(source: Source) -> tuple[str, str]:
    """The text without a byte order mark, and the encoding that it was in.

    Raises:
        ExtractionError: as `read`, or it is more text than is allowed.
    """
    data = source.data
    source.check_size(len(data))
    codec = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else _unmarked_utf16(data) or "utf-8"
    try:
        text = data.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if codec != "utf-8" or data.startswith(b"\xef\xbb\xbf"):
            raise ExtractionError(
                f"{source.label} is not {codec.upper()} text as its first bytes say: it cannot be decoded at byte "
                f"{error.start}; {_ADVICE}"
            ) from None
        return _decode_legacy(source)
    if "\0" in text:
        others = codec != "utf-8" or _CONTROL.search(data.replace(b"\0", b""))
        if others or text.count("\0") > max(min(2, len(text) // 2), NULS * len(text)):
            raise _binary(source, data.index(b"\0"))
    return text.replace("\0", "\ufffd"), codec


def _unmarked_utf16(data: bytes) -> str | None:
    """The codec of UTF-16 text without a byte order mark: only one of the two bytes of its characters is ever 0."""
    first, second = data[::2].count(0), data[1::2].count(0)
    if len(data) % 2 or first + second < _UTF16_NULS * len(data) or (first and second):
        return None
    return "utf-16-le" if second else "utf-16-be"


def _decode_legacy(source: Source) -> tuple[str, str]:
    from charset_normalizer import from_bytes

    if control := _CONTROL.search(source.data):
        raise _binary(source, control.start())
    matches = from_bytes(source.data, cp_isolation=list(LEGACY_ENCODINGS))
    best = matches.best()
    if best is None:
        raise ExtractionError(f"{source.label} is not text in UTF-8 or any other known encoding; {_ADVICE}")
    # Nothing in a short Western text tells its encoding from the Central European one.
    for match in matches:
        if match.encoding == "cp1252" and (match.chaos, -match.coherence) <= (best.chaos, -best.coherence):
            best = match
    return str(best), best.encoding


def _binary(source: Source, offset: int) -> ExtractionError:
    name = "NUL" if source.data[offset] == 0 else "control character"
    return ExtractionError(f"{source.label} is binary, not text (a {name} at byte {offset}); {_ADVICE}")
