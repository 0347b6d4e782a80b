"""Web pages (HTML): the main text as trafilatura finds it, without menus and footers; one page.

A page in which it finds no main text is taken whole.
"""

import re
from dataclasses import replace

from dmdoc.document.markup import markup_text
from dmdoc.document.source import Extracted, Source, missing_extra
from dmdoc.document.text import decode
from dmdoc.errors import ExtractionError
from dmdoc.text.normalise import normalise_text

_DECLARED = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_DECLARED_WITHIN = 4096

_LITTLE = 200
"""Characters of text below which a page that asks for JavaScript says nothing else."""

_SCRIPT = re.compile(r"<script\b", re.IGNORECASE)
_ASKS_FOR_SCRIPTS = re.compile(
    r"<noscript\b|\b(?:enable|need|needs|require|requires) JavaScript\b", re.IGNORECASE
)
_EMPTY_ROOT = re.compile(
    r"""<(?:div|main|app-root)\b[^<>]*?\b(?:id=["']?(?:root|app|main|__next|__nuxt|svelte)\b|ng-version)[^<>]*>\s*</""",
    re.IGNORECASE,
)


def read(source: Source) -> Extracted:
    """The main text of the page.

    Raises:
        ExtractionError: it is binary or in no known encoding, its text is made by JavaScript, or trafilatura is not
            installed.
    """
    try:
        import trafilatura
    except ImportError:
        raise missing_extra(source, "HTML", "trafilatura") from None
    html, _ = decode(_in_utf8(source))
    whole = normalise_text(markup_text(html))
    if _is_made_by_scripts(html, whole):
        raise ExtractionError(
            f"the text of {source.label} is made by JavaScript, which dmdoc does not run; save the page as a browser "
            "shows it"
        )
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
    return Extracted((whole,), "html")


def _is_made_by_scripts(html: str, text: str) -> bool:
    """Whether a page holds the scripts that make its text, and not the text; `text` is what it does hold."""
    if len(text) > _LITTLE or not _SCRIPT.search(html):
        return False
    return not text or bool(_ASKS_FOR_SCRIPTS.search(html) or _EMPTY_ROOT.search(html))


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
