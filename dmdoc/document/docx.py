"""Word documents (DOCX), by way of mammoth: one page, because a DOCX does not say where its pages end.

Headings, lists, tables and footnotes are kept; comments, headers and footers are not.
"""

from io import BytesIO

from dmdoc.document.archive import Archive
from dmdoc.document.markup import markup_text
from dmdoc.document.source import Extracted, Source, missing_extra
from dmdoc.errors import ExtractionError
from dmdoc.text.normalise import normalise_text

_BACK_LINK = ">↑</a>"
"""What mammoth ends a footnote with."""


def read(source: Source) -> Extracted:
    """The text of the document.

    Raises:
        ExtractionError: it is damaged, or mammoth is not installed.
    """
    try:
        import mammoth
    except ImportError:
        raise missing_extra(source, "a Word document", "mammoth") from None
    Archive(source)  # refuses what would unpack to more than is allowed
    no_pictures = mammoth.images.img_element(lambda _: {})
    try:
        html = mammoth.convert_to_html(BytesIO(source.data), convert_image=no_pictures).value
    except Exception as error:  # mammoth raises whatever a malformed file leads it to
        raise ExtractionError(
            f"{source.label} is a damaged Word document ({error}); save it again"
        ) from error
    return Extracted((normalise_text(markup_text(html.replace(_BACK_LINK, "></a>"))),), "mammoth")
