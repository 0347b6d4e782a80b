"""Which format a source is in, and so which reader reads it.

The format is told by content where the content says it: PDF, RTF and those that are ZIP archives. HTML and mail cannot
be told from source code that writes them, so they are told by content only under `.txt` or without any suffix.
"""

import re
from collections.abc import Callable

from dmdoc.document import docx, epub, html, mail, notebook, pdf, pptx, rows, rtf, text, xlsx
from dmdoc.document.archive import member_names
from dmdoc.document.source import Extracted, Source
from dmdoc.errors import ExtractionError

FormatReader = Callable[[Source], Extracted]

_PDF_MAGIC = b"%PDF-"
_PDF_MAGIC_WITHIN = 1024
"""PDF readers have always accepted junk before the header, up to here."""

_BEFORE_HTML = re.compile(rb"\s+|<\?xml[^>]*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_HTML_START = re.compile(rb"<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_HTML_START_WITHIN = 4096
_MAIL_START = re.compile(rb"(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+", re.IGNORECASE)
_MAIL_HEADERS = re.compile(rb"^(?:received|mime-version|message-id):", re.IGNORECASE | re.MULTILINE)
_MAIL_START_WITHIN = 4096
_RTF_MAGIC = b"{\\rtf"
_OLD_OFFICE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_SUFFIXES: dict[str, FormatReader] = {
    ".html": html.read,
    ".htm": html.read,
    ".xhtml": html.read,
    ".eml": mail.read,
    ".mbox": mail.read_box,
    ".ipynb": notebook.read,
    ".csv": rows.read,
    ".tsv": rows.read,
}
"""Formats that only a suffix tells."""

_ARCHIVES: dict[str, FormatReader] = {
    "word/document.xml": docx.read,
    "ppt/presentation.xml": pptx.read,
    "META-INF/container.xml": epub.read,
    "xl/workbook.xml": xlsx.read,
}
"""The member that tells what an archive is."""

_NAMED = {".pdf": "a PDF", ".docx": "a DOCX", ".pptx": "a PPTX", ".epub": "an EPUB", ".xlsx": "an XLSX"}
"""Formats that a suffix promises and that only the content can be."""


def reader_for(source: Source) -> FormatReader:
    """The reader of the format that `source` is in; what nothing else claims is text.

    Raises:
        ExtractionError: it is named like a format that it is not in.
    """
    suffix = source.suffix
    # Source code may well have the header in a string: elsewhere than at its start it tells no such file.
    within = _PDF_MAGIC_WITHIN if suffix in ("", ".pdf") else len(_PDF_MAGIC)
    if _PDF_MAGIC in source.data[:within]:
        return pdf.read
    members = member_names(source.data)
    for member, read in _ARCHIVES.items():
        if member in members:
            return read
    if source.data.startswith(_RTF_MAGIC):
        return rtf.read
    if suffix in _NAMED:
        sign = "it has no %PDF header" if suffix == ".pdf" else "it is not such an archive"
        raise ExtractionError(
            f"{source.label} is not {_NAMED[suffix]}, or is damaged or locked: {sign}; export it again"
        )
    if source.data.startswith(_OLD_OFFICE_MAGIC):
        raise ExtractionError(f"{source.label} is in an old format of Office; save it as DOCX, XLSX or PPTX")
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    return _by_beginning(source.data) if suffix in ("", ".txt") else text.read


def _by_beginning(data: bytes) -> FormatReader:
    """The reader for a source whose name says nothing."""
    if _begins_as_html(data):
        return html.read
    start = _MAIL_START.match(data[:_MAIL_START_WITHIN].replace(b"\r\n", b"\n"))
    if start and _MAIL_HEADERS.search(start[0]):
        return mail.read
    return text.read


def _begins_as_html(data: bytes) -> bool:
    """Whether the first tag is that of a whole HTML document."""
    start, position = data[:_HTML_START_WITHIN].removeprefix(b"\xef\xbb\xbf"), 0
    while skipped := _BEFORE_HTML.match(start, position):
        position = skipped.end()
    return _HTML_START.match(start, position) is not None
