"""Rich text (RTF), by way of striprtf: one page, without formatting."""

import re

from dmdoc.document.source import Extracted, Source, missing_extra
from dmdoc.text.normalise import normalise_text

_CODE_PAGE = re.compile(rb"\\ansicpg(\d{3,5})")
_CODE_PAGE_WITHIN = 1024


def read(source: Source) -> Extracted:
    """The text of the document.

    Raises:
        ExtractionError: striprtf is not installed.
    """
    try:
        from striprtf.striprtf import rtf_to_text
    except ImportError:
        raise missing_extra(source, "rich text (RTF)", "striprtf") from None
    source.check_size(len(source.data))
    declared = _CODE_PAGE.search(source.data[:_CODE_PAGE_WITHIN])
    encoding = f"cp{declared[1].decode()}" if declared else "cp1252"
    text: str = rtf_to_text(source.data.decode("latin-1"), encoding=encoding, errors="replace")
    return Extracted((normalise_text(text),), "striprtf")
