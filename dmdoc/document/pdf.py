"""PDF files: the text layer, one entry a page, with what is filled into forms and, at the end of a page, its notes.

PDFium reads first: it is much the faster one and finds the words of more files; pypdf goes on where the file's
structure is damaged. Columns and tables are told by where the words stand (layout.py). Scans have no text layer and
are refused.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from dmdoc.document.layout import arrange
from dmdoc.document.scan import read_scan
from dmdoc.document.source import Extracted, Source
from dmdoc.errors import ExtractionError
from dmdoc.text.normalise import Block, normalise_pages, normalise_text


@dataclass(frozen=True)
class _Page:
    blocks: tuple[Block, ...]
    notes: list[str] = field(default_factory=list)
    doubtful: bool = False
    """Its columns may be mixed."""
    confidence: float | None = None
    """Of OCR, if that read it."""

    @property
    def has_words(self) -> bool:
        """Beside its notes, which people write on scans, too."""
        return any(block.text.strip() for block in self.blocks)

    @property
    def has_text(self) -> bool:
        return self.has_words or bool(self.notes)


def read(source: Source) -> Extracted:
    """The text layer of the pages.

    Raises:
        ExtractionError: the file is damaged, has no text on any page, or opens only with another password.
    """
    pages, reader = _read_with_pdfium(source), "pypdfium2"
    if not any(page.has_text for page in pages):
        opened = pages
        try:
            pages, reader = [_Page((Block(text),)) for text in _read_with_pypdf(source)], "pypdf"
        except ExtractionError:
            if not opened:
                raise
    if not any(page.has_text for page in pages):
        numbers = {0: "has no pages", 1: "has no text on page 1"}.get(
            len(pages), f"has no text on any of pages 1-{len(pages)}"
        )
        raise ExtractionError(f"{source.label} {numbers}; if it is a scan, it needs OCR")
    texts = normalise_pages([page.blocks for page in pages])
    noted = [
        "\n\n".join(filter(None, [text, *(f"[Note: {normalise_text(note)}]" for note in page.notes)]))
        for text, page in zip(texts, pages, strict=True)
    ]
    confidence = tuple(page.confidence for page in pages)
    by_ocr = any(each is not None for each in confidence)
    return Extracted(tuple(noted), reader, _warnings(pages), confidence if by_ocr else ())


def _warnings(pages: list[_Page]) -> tuple[str, ...]:
    doubtful = [number for number, page in enumerate(pages, start=1) if page.doubtful]
    seen = {
        number: page.confidence for number, page in enumerate(pages, start=1) if page.confidence is not None
    }
    noted = [number for number, page in enumerate(pages, start=1) if page.notes and not page.has_words]
    warnings = []
    if noted:
        warnings.append(f"nothing but notes on {_on_pages(noted)}; scanned pages need OCR")
    if doubtful:
        warnings.append(f"columns may be mixed on {_on_pages(doubtful)}")
    if seen:
        warnings.append(f"OCR read {_on_pages(seen)}, with a confidence of {min(seen.values()):.0%} or more")
    return tuple(warnings)


def _on_pages(numbers: Collection[int]) -> str:
    return f"page{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _read_with_pdfium(source: Source) -> list[_Page]:
    """The pages; none if PDFium cannot read the file."""
    import pypdfium2

    pages, size = [], 0
    try:
        with pypdfium2.PdfDocument(source.data, password=source.password) as opened:
            if opened.get_formtype():
                opened.init_forms()
            for page in opened:
                found = _page(page, opened.formenv)
                if source.ocr == "force" or (source.ocr == "auto" and not found.has_words):
                    scanned = read_scan(page, source)
                    found = _Page(scanned.blocks, found.notes, confidence=scanned.confidence)
                pages.append(found)
                page.close()
                size += sum(len(block.text) for block in pages[-1].blocks)
                source.check_size(size)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise _locked(source) from None
        return []
    return pages


def _page(page: Any, form: Any) -> _Page:
    """What is on a page that PDFium opened; as it was drawn, if there are neither columns nor tables nor fields."""
    from dmdoc.document import pdf_page

    text = page.get_textpage()
    try:
        words = pdf_page.words(text)
        fields = pdf_page.filled_in(page, form, words or ()) if form else []
        arranged = arrange([*words, *fields], lambda: pdf_page.rules(page)) if words is not None else None
        if arranged is None or (arranged.plain and not fields):
            values = Block("\n".join(word.text for word in fields), is_table=True)
            blocks: tuple[Block, ...] = (Block(pdf_page.raw_text(text)), values)
        else:
            # The lines of a form are not put together.
            blocks = tuple(Block(block.text, block.is_table or bool(fields)) for block in arranged.blocks)
        return _Page(blocks, pdf_page.notes(page), arranged is not None and arranged.doubtful)
    finally:
        text.close()


def _read_with_pypdf(source: Source) -> list[str]:
    """The raw text of the pages."""
    import pypdf
    from pypdf.errors import DependencyError

    try:
        reader = pypdf.PdfReader(BytesIO(source.data))
        # Many PDFs are encrypted only to restrict printing; they open with the empty user password.
        if reader.is_encrypted and not reader.decrypt(source.password or ""):
            raise _locked(source)
        return [page.extract_text() for page in reader.pages]
    except ExtractionError:
        raise
    except DependencyError as error:
        raise ExtractionError(
            f"{source.label} is encrypted with AES and damaged; remove its password first (qpdf --decrypt does)"
        ) from error
    except Exception as error:  # a malformed file leads pypdf to nearly any exception, not only to its own
        raise ExtractionError(
            f"{source.label} is a damaged PDF ({error}); repair it or export it again"
        ) from error


def _locked(source: Source) -> ExtractionError:
    if source.password is None:
        return ExtractionError(f"{source.label} is encrypted; give its password")
    return ExtractionError(f"{source.label} is encrypted, and not with the password that was given")
