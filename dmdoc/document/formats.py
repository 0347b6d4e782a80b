"""Which format a source is in, and so which reader reads it.

The format is told by content where the content says it: PDF, and the three that are ZIP archives. HTML cannot
be told from source code that writes HTML, so it is HTML only under such a name, or without any suffix.
"""

import re
from collections.abc import Callable
from pathlib import PurePath

from dmdoc.document import docx, epub, html, pdf, pptx, text
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
_HTML_SUFFIXES = (".html", ".htm", ".xhtml")
_ARCHIVES: dict[str, FormatReader] = {
    "word/document.xml": docx.read,
    "ppt/presentation.xml": pptx.read,
    "META-INF/container.xml": epub.read,
}
"""The member that tells what an archive is."""

_NAMED = {".pdf": "a PDF", ".docx": "a DOCX", ".pptx": "a PPTX", ".epub": "an EPUB"}
"""Formats that a suffix promises and that only the content can be."""


def reader_for(source: Source) -> FormatReader:
    """The reader of the format that `source` is in; what nothing else claims is text.

    Raises:
        ExtractionError: it is named like a format that it is not in.
    """
    unnamed = not PurePath(source.label).suffix
    # Source code may well have the header in a string: elsewhere than at its start it tells no such file.
    within = _PDF_MAGIC_WITHIN if unnamed or source.has_suffix(".pdf") else len(_PDF_MAGIC)
    if _PDF_MAGIC in source.data[:within]:
        return pdf.read
    members = member_names(source.data)
    for member, read in _ARCHIVES.items():
        if member in members:
            return read
    for suffix, name in _NAMED.items():
        if source.has_suffix(suffix):
            sign = "it has no %PDF header" if suffix == ".pdf" else "it is not such an archive"
            raise ExtractionError(
                f"{source.label} is not {name}, or is damaged or locked: {sign}; export it again"
            )
    if source.has_suffix(*_HTML_SUFFIXES) or (unnamed and _begins_as_html(source.data)):
        return html.read
    return text.read


def _begins_as_html(data: bytes) -> bool:
    """Whether the first tag is that of a whole HTML document."""
    start, position = data[:_HTML_START_WITHIN].removeprefix(b"\xef\xbb\xbf"), 0
    while skipped := _BEFORE_HTML.match(start, position):
        position = skipped.end()
    return _HTML_START.match(start, position) is not None
