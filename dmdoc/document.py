"""A path or standard input → a Document: named, normalised pages of text.

The format is told by content, not by file name, and each format has one reader: bytes in, normalised pages
out. What normalised text looks like is decided in normalise.py. Knows nothing about models, tokens or saved
documents.
"""

import hashlib
import re
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from dmdoc.errors import ExtractionError, UsageError
from dmdoc.normalise import normalise_pages, normalise_text, remove_running_lines

STDIN = "-"
"""The source that stands for standard input."""

MAX_NAME_LENGTH = 100
"""Characters of a document name; a name is also a folder name, and file systems stop at 255 bytes."""

_PDF_MAGIC = b"%PDF-"
_PDF_MAGIC_WITHIN = 1024  # readers have always accepted junk before the header, up to here


@dataclass(frozen=True)
class Document:
    """One document's text. Page numbers are 1-based; a source without pages is one page."""

    name: str
    """What the document is called; the same as its own `slug`."""
    source: str
    """The absolute path that it was read from, or "-"."""
    pages: tuple[str, ...]
    """Normalised text, one string a page; a page without text is "" and keeps its place."""

    @property
    def text(self) -> str:
        """All pages that have text, a blank line between them."""
        return _join_pages(self.pages)

    @property
    def sha256(self) -> str:
        """Hex digest of the text in UTF-8: the same words from another file are the same document."""
        return _sha256(self.text)

    @property
    def empty_pages(self) -> tuple[int, ...]:
        """The numbers of the pages without text (scans, pictures), for the caller to warn about."""
        return tuple(number for number, page in enumerate(self.pages, start=1) if not page)


def read_document(source: str, *, name: str | None = None, stdin: BinaryIO | None = None) -> Document:
    """Read a text, Markdown or PDF document.

    Args:
        source: a path, or "-" for standard input.
        name: the document's name; by default a slug of the file name, or `stdin-` and 8 digits of the hash.
        stdin: where "-" reads from; by default the standard input of the process.

    Raises:
        ExtractionError: the source is missing, a folder, empty, binary, encrypted, damaged or scanned.
        UsageError: `name` is not a document name.
    """
    if name is not None:
        check_name(name)
    label = "standard input" if source == STDIN else source
    data = (stdin or sys.stdin.buffer).read() if source == STDIN else _read_file(Path(source))
    if not data.strip():
        raise ExtractionError(f"{label} is empty; give a document with text in it")
    pages = _reader_for(data, label)(data, label)
    if not any(pages):
        raise ExtractionError(f"{label} has no text in it, only blank space or page headers")
    return Document(
        name=name or _default_name(source, pages),
        source=source if source == STDIN else str(Path(source).absolute()),
        pages=pages,
    )


def slug(text: str) -> str:
    """The document name nearest to `text`: lower-case ASCII letters, digits, `-`, `_` and `.`.

    Accents are dropped, anything else becomes `-`, and a name never begins or ends with punctuation. It is ""
    when nothing of the text can be kept.
    """
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9._]+", "-", "".join(letters).lower())[:MAX_NAME_LENGTH].strip("-._")


def check_name(name: str) -> None:
    """Raise UsageError unless `name` can be a document's name, that is, unless it is its own slug."""
    if name and slug(name) == name:
        return
    advice = f"try '{slug(name)}'" if slug(name) else "for example 'annual-report'"
    raise UsageError(
        f"'{name}' cannot name a document: use lower-case letters, digits, '-', '_' and '.'; {advice}"
    )


def _default_name(source: str, pages: Sequence[str]) -> str:
    short_hash = _sha256(_join_pages(pages))[:8]
    if source == STDIN:
        return f"stdin-{short_hash}"
    return slug(Path(source).stem) or f"document-{short_hash}"


def _join_pages(pages: Sequence[str]) -> str:
    return "\n\n".join(page for page in pages if page)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ExtractionError(f"no such file: {path}; give a document's path, or - for stdin") from None
    except IsADirectoryError:
        raise ExtractionError(f"{path} is a folder; give one document in it") from None
    except OSError as error:
        raise ExtractionError(f"cannot read {path}: {error.strerror or error}") from error


def _reader_for(data: bytes, label: str) -> Callable[[bytes, str], tuple[str, ...]]:
    """The reader of the format that `data` is in: (bytes, label for messages) → normalised pages."""
    if _PDF_MAGIC in data[:_PDF_MAGIC_WITHIN]:
        return _read_pdf
    if label.lower().endswith(".pdf"):
        raise ExtractionError(f"{label} is not a PDF, or is damaged: it has no %PDF header; export it again")
    return _read_text


def _read_text(data: bytes, label: str) -> tuple[str, ...]:
    """Text and Markdown, kept as text; a form feed is a page break."""
    text = _decode(data, label)
    # A form feed also closes the last page in what pagers and pdftotext write; it does not open another.
    pages = [normalise_text(page) for page in text.removesuffix("\f").split("\f")]
    return remove_running_lines(pages)


def _decode(data: bytes, label: str) -> str:
    """UTF-8 with or without a byte order mark, or UTF-16 with one."""
    codec = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    advice = "give text in UTF-8, Markdown or PDF"
    try:
        text = data.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ExtractionError(
            f"{label} is not {codec.upper()} text: it cannot be decoded at byte {error.start}; {advice}"
        ) from None
    if "\0" in text:
        offset = data.index(b"\0")
        raise ExtractionError(f"{label} is binary, not text (a NUL at byte {offset}); {advice}")
    return text


def _read_pdf(data: bytes, label: str) -> tuple[str, ...]:
    """The text layer of a PDF; one entry a page."""
    import pypdf
    from pypdf.errors import DependencyError

    try:
        reader = pypdf.PdfReader(BytesIO(data))
        # Many PDFs are encrypted only to restrict printing; they open with the empty user password.
        if reader.is_encrypted and not reader.decrypt(""):
            raise ExtractionError(f"{label} is encrypted; remove its password first (qpdf --decrypt does)")
        pages = [page.extract_text() for page in reader.pages]
    except ExtractionError:
        raise
    except DependencyError as error:
        raise ExtractionError(f"{label} is encrypted with AES; install 'pypdf[crypto]' to read it") from error
    except Exception as error:  # a malformed file leads pypdf to nearly any exception, not only to its own
        raise ExtractionError(f"{label} is a damaged PDF ({error}); repair it or export it again") from error
    if not any(page.strip() for page in pages):
        numbers = {0: "has no pages", 1: "has no text on page 1"}.get(
            len(pages), f"has no text on any of pages 1-{len(pages)}"
        )
        raise ExtractionError(f"{label} {numbers}; if it is a scan, run OCR on it first (ocrmypdf does)")
    return normalise_pages(pages)
