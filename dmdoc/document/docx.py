"""Word documents (DOCX), by way of mammoth: one page, because a DOCX does not say where its pages end.

Headings, lists, tables and footnotes are kept. Page headers stand once before the text, page footers and comments
once after it. Pictures are left out.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from xml.etree.ElementTree import Element

from dmdoc.document.archive import Archive
from dmdoc.document.markup import markup_text
from dmdoc.document.source import Extracted, Source, left_out, missing_extra
from dmdoc.errors import ExtractionError
from dmdoc.text.normalise import normalise_text

_BACK_LINK = ">↑</a>"
"""What mammoth ends a footnote with."""

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PAGE_NUMBER = re.compile(r"\W*(?:\w+\s+)?\d+(?:\s*(?:/|\w+)\s*\d+)?\W*")
"""`7`, `- 7 -`, `Page 7`, `Page 7 of 9`."""


def read(source: Source) -> Extracted:
    """The text of the document.

    Raises:
        ExtractionError: it is damaged, or mammoth is not installed.
    """
    try:
        import mammoth
    except ImportError:
        raise missing_extra(source, "a Word document", "mammoth") from None
    archive = Archive(source)
    archive.check_xml()
    no_pictures = mammoth.images.img_element(lambda _: {})
    try:
        html = mammoth.convert_to_html(
            BytesIO(source.data), convert_image=no_pictures, style_map="comment-reference => sup"
        ).value
    except Exception as error:  # mammoth raises whatever a malformed file leads it to
        raise ExtractionError(
            f"{source.label} is a damaged Word document ({error}); save it again"
        ) from error
    body = markup_text(html.replace(_BACK_LINK, "></a>"))
    blocks = (_running(archive, "header"), body, _running(archive, "footer"))
    pictures = sum(name.startswith("word/media/") for name in archive.names)
    page = normalise_text("\n\n".join(block for block in blocks if block))
    return Extracted((page,), "mammoth", left_out({"picture": pictures}))


def _running(archive: Archive, kind: str) -> str:
    """The lines of the page headers or footers, each once, without those that only number the page."""
    lines: dict[str, None] = {}
    for name in sorted(archive.names):
        if re.fullmatch(rf"word/{kind}\d*\.xml", name):
            for paragraph in archive.read_xml(name).iter(f"{_WORD}p"):
                line = "".join(_pieces(paragraph)).strip()
                if line and not _PAGE_NUMBER.fullmatch(line):
                    lines[line] = None
    return "\n".join(lines)


def _pieces(paragraph: Element) -> Iterator[str]:
    for part in paragraph.iter():
        if part.tag == f"{_WORD}t":
            yield part.text or ""
        elif part.tag in (f"{_WORD}tab", f"{_WORD}br"):
            yield " "
