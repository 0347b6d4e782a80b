"""Web pages (HTML): the main text as trafilatura finds it, without menus and footers; one page.

A page in which it finds no main text is taken whole.
"""

import re
from dataclasses import replace

from dmdoc.document.markup import markup_text
from dmdoc.document.source import Extracted, Source, missing_extra
from dmdoc.document.text import decode
from dmdoc.text.normalise import normalise_text

_DECLARED = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_DECLARED_WITHIN = 4096


def read(source: Source) -> Extracted:
    """The main text of the page.

    Raises:
        ExtractionError: it is binary or in no known encoding, or trafilatura is not installed.
    """
    try:
        import trafilatura
    except ImportError:
        raise missing_extra(source, "HTML", "trafilatura") from None
    html, _ = decode(_in_utf8(source))
    main = trafilatura.extract(
        html,
        output_format="html",
        include_comments=False,
        include_formatting=True,  # headings and lists
        favor_recall=True,  # a document that someone chose to ingest: too much text is better than too little
    )
    page = normalise_text(markup_text(main)) if main else ""
    if page:
        return Extracted((page,), "trafilatura")
    return Extracted((normalise_text(markup_text(html)),), "html")


def _in_utf8(source: Source) -> Source:
    """The source in UTF-8 if it is in another encoding that it declares; else as it is."""
    declared = _DECLARED.search(source.data[:_DECLARED_WITHIN])
    try:
        source.data.decode()
    except UnicodeDecodeError:
        if declared:
            try:
                return replace(source, data=source.data.decode(declared[1].decode()).encode())
            except (LookupError, UnicodeError):
                pass  # a false declaration is no better than none
    return source
