"""From a path, a URL or standard input to a Document: open it, have its format read, name it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from dmdoc.document.document import Document
from dmdoc.document.names import check_name, slug
from dmdoc.document.source import DEFAULT_LIMITS, OCR_LANGUAGE, Extracted, Limits, Ocr, Source, joined
from dmdoc.document.stamp import Stamp, WebStamp, stamp
from dmdoc.document.url import STDIN, full_source, is_url, title
from dmdoc.errors import DmdocError, ExtractionError, UsageError

_PIECE = 1 << 20

EXPORTED = ".dmdoc"
"""How the name of an exported document ends."""


def read_document(
    source: str,
    *,
    name: str | None = None,
    password: str | None = None,
    stdin: BinaryIO | None = None,
    limits: Limits = DEFAULT_LIMITS,
    ocr: Ocr = "off",
    ocr_language: str = OCR_LANGUAGE,
    allow_private: bool = False,
    known: Document | None = None,
) -> Document:
    """Read a document in any format that `formats` knows; what is no other format is read as text.

    Args:
        source: a path, a URL, or "-" for standard input.
        name: the document's name; by default a slug of the file name, or `stdin-` and 8 digits of the hash.
        password: opens an encrypted PDF; a PDF that is not encrypted opens with any.
        stdin: where "-" reads from; by default the standard input of the process.
        ocr: whether pages of a PDF are read by OCR, and in which language.
        limits: how much text it may have; it is read without a clock here.
        allow_private: fetch URLs also from addresses of this machine and of private networks.
        known: what was read from the same URL before; it is given back as it is if the server says that nothing
            has changed.

    Raises:
        ExtractionError: the source is missing, cannot be fetched, a folder, empty, binary, encrypted, damaged or
            scanned, or its format needs a library that is not installed, or it is larger than is allowed.
        UsageError: `name` is not a document name, or a password was given for something that is not a PDF.
    """
    # What reads the formats takes long to import, and mostly another process reads.
    from dmdoc.document import pdf
    from dmdoc.document.formats import reader_for

    if name is not None:
        check_name(name)
    label = "standard input" if source == STDIN else source
    contents = _contents(source, stdin, allow_private, known)
    if contents is None:
        assert known is not None
        return known
    data = contents.data
    if not data.strip():
        raise ExtractionError(f"{label} is empty; give a document with text in it")
    if label.endswith(EXPORTED) and data.startswith(b"PK"):
        raise ExtractionError(f"{label} is a saved document that was exported; import it instead")
    opened = Source(data, label, password, limits, ocr, ocr_language, contents.suffix)
    read = reader_for(opened)
    if password is not None and read is not pdf.read:
        raise UsageError(f"a password was given, but {label} is not a PDF; only PDF files take one")
    extracted = _extract(read, opened)
    if not any(extracted.pages):
        raise ExtractionError(f"{label} has no text in it, only blank space, pictures or page headers")
    document = Document(
        name=name or "",
        source=full_source(source),
        pages=extracted.pages,
        reader=extracted.reader,
        remarks=extracted.warnings,
        confidence=extracted.confidence,
        file=contents.stamp,
    )
    return document if name else _named(document)


@dataclass(frozen=True)
class _Contents:
    """What is in a source."""

    data: bytes
    suffix: str | None = None
    """As `Source.told_suffix`."""
    stamp: Stamp | WebStamp | None = None


def _contents(
    source: str, stdin: BinaryIO | None, allow_private: bool, known: Document | None
) -> _Contents | None:
    """None: it is a URL, and what is there is as it is known."""
    if source == STDIN:
        return _Contents(read_stream(stdin or sys.stdin.buffer))
    if is_url(source):
        from dmdoc.document.fetch import fetch

        before = known.file if known is not None and isinstance(known.file, WebStamp) else None
        page = fetch(source, allow_private=allow_private, known=before)
        return None if page is None else _Contents(page.data, page.suffix, page.stamp)
    data = _read_file(Path(source))
    return _Contents(data, stamp=stamp(Path(source), data))


def _extract(read: Callable[[Source], Extracted], source: Source) -> Extracted:
    try:
        extracted = read(source)
        source.check_size(sum(map(len, extracted.pages)))  # whatever its format made of it
        return extracted
    except MemoryError:
        raise
    except DmdocError as error:
        if isinstance(error.__cause__, MemoryError):  # what a reader took for damage
            raise error.__cause__ from None
        raise
    except Exception as error:  # a malformed file leads the libraries to nearly any exception
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ExtractionError(
            f"{source.label} cannot be read, it is damaged or nested too deeply ({what})"
        ) from error


def _named(document: Document) -> Document:
    """The document under its default name."""
    short_hash = document.sha256[:8]
    if document.source == STDIN:
        return replace(document, name=f"stdin-{short_hash}")
    return replace(document, name=slug(title(document.source)) or f"document-{short_hash}")


def read_stream(stream: BinaryIO, label: str = "standard input") -> bytes:
    """All bytes of a file.

    Raises:
        ExtractionError: there are too many.
    """
    # To ask for all at once would take the memory for the largest file there may be.
    return joined(iter(partial(stream.read, _PIECE), b""), label)


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return read_stream(file, str(path))
    except FileNotFoundError:
        raise ExtractionError(f"no such file: {path}; give a document's path, or - for stdin") from None
    except IsADirectoryError:
        raise ExtractionError(f"{path} is a folder; give one document in it") from None
    except OSError as error:
        raise ExtractionError(f"cannot read {path}: {error.strerror or error}") from error
