"""A document's text and how it came out of its source. Knows nothing about files or formats."""

import hashlib
from dataclasses import dataclass, field

from dmdoc.document.stamp import Stamp, WebStamp


@dataclass(frozen=True)
class Extraction:
    """What a reader made of a source, in numbers; page numbers are 1-based."""

    reader: str
    """What read it: `text`, `pypdfium2`, `pypdf`, `trafilatura` ...; "" when that is no longer known."""
    pages: int
    empty_pages: tuple[int, ...]
    """The numbers of the pages without text (scans, pictures)."""
    characters: tuple[int, ...]
    """Of each page, normalised."""
    warnings: tuple[str, ...]
    """As `Document.warnings`."""
    confidence: tuple[float | None, ...]
    """As `Document.confidence`."""


@dataclass(frozen=True)
class Document:
    """One document's text. Page numbers are 1-based; a source without pages is one page."""

    name: str
    """What the document is called; the same as its own `slug`."""
    source: str
    """The absolute path or the URL that it was read from, or "-"."""
    pages: tuple[str, ...]
    """Normalised text, one string a page, slide or chapter; one without text is "" and keeps its place."""
    reader: str = field(default="", compare=False)
    """See `Extraction.reader`; the same text is the same document, whatever read it."""
    remarks: tuple[str, ...] = field(default=(), compare=False)
    """What its reader left out or had to guess, a sentence each."""
    confidence: tuple[float | None, ...] = field(default=(), compare=False)
    """Of OCR in the words of each page, from 0 to 1, None for a page with text; () where no page was read by OCR."""
    file: Stamp | WebStamp | None = field(default=None, compare=False)
    """The file or web page that it was read from, as it was; None for standard input."""

    @property
    def text(self) -> str:
        """All pages that have text, a blank line between them."""
        return "\n\n".join(page for page in self.pages if page)

    @property
    def sha256(self) -> str:
        """Hex digest of the text in UTF-8: the same words from another file are the same document."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def empty_pages(self) -> tuple[int, ...]:
        """The numbers of the pages without text (scans, pictures)."""
        return tuple(number for number, page in enumerate(self.pages, start=1) if not page)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is missing from the text, or may be wrong in it: a sentence each."""
        if not self.empty_pages:
            return self.remarks
        several = "s" if len(self.empty_pages) > 1 else ""
        numbers = ", ".join(map(str, self.empty_pages))
        return (*self.remarks, f"no text on page{several} {numbers}; scanned pages need OCR")

    @property
    def extraction(self) -> Extraction:
        """The report on how the text was extracted."""
        return Extraction(
            reader=self.reader,
            pages=len(self.pages),
            empty_pages=self.empty_pages,
            characters=tuple(map(len, self.pages)),
            warnings=self.warnings,
            confidence=self.confidence,
        )
