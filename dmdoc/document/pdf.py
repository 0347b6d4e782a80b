"""PDF files: the text layer, one entry a page. PDFium reads first; pypdf reads what PDFium cannot.

PDFium is much the faster one and finds the words of more files; pypdf goes on where the file's structure is
damaged. Scans have no text layer and are refused.
"""

from io import BytesIO

from dmdoc.document.source import Extracted, Source
from dmdoc.errors import ExtractionError
from dmdoc.text.normalise import normalise_pages

_LINE_END_HYPHEN = "\ufffe"
"""What PDFium gives for a hyphen at a line end and for the line end after it."""


def read(source: Source) -> Extracted:
    """The text layer of the pages.

    Raises:
        ExtractionError: the file is damaged, has no text on any page, or opens only with another password.
    """
    pages, reader = _read_with_pdfium(source), "pypdfium2"
    if not _have_text(pages):
        opened = pages
        try:
            pages, reader = _read_with_pypdf(source), "pypdf"
        except ExtractionError:
            if not opened:
                raise
    if not _have_text(pages):
        numbers = {0: "has no pages", 1: "has no text on page 1"}.get(
            len(pages), f"has no text on any of pages 1-{len(pages)}"
        )
        raise ExtractionError(
            f"{source.label} {numbers}; if it is a scan, run OCR on it first (ocrmypdf does)"
        )
    return Extracted(normalise_pages(pages), reader)


def _have_text(pages: list[str]) -> bool:
    return any(page.strip() for page in pages)


def _read_with_pdfium(source: Source) -> list[str]:
    """The raw text of the pages; none if PDFium cannot read the file."""
    import pypdfium2

    pages = []
    try:
        with pypdfium2.PdfDocument(source.data, password=source.password) as opened:
            for page in opened:
                text = page.get_textpage()
                pages.append(text.get_text_range().replace(_LINE_END_HYPHEN, "-\n"))
                text.close()
                page.close()
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise _locked(source) from None
        return []
    return pages


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
        return ExtractionError(f"{source.label} is encrypted; give its password with --password")
    return ExtractionError(f"{source.label} is encrypted, and not with the password that was given")
