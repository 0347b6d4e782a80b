"""Web pages (HTML): the main text as trafilatura finds it, without menus and footers; one page.

A page in which it finds no main text is taken whole.
"""

import re
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

from dmdoc.document.markup import markup_text
from dmdoc.document.source import Extracted, Source, missing_extra
from dmdoc.document.text import decode
from dmdoc.errors import ExtractionError
from dmdoc.text.normalise import normalise_text

if TYPE_CHECKING:
    from lxml.html import HtmlElement

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
    tree = trafilatura.load_html(html)
    main = trafilatura.extract(
        html if tree is None else _with_plain_captions(tree),
        output_format="html",
        include_comments=False,
        include_formatting=True,  # headings and lists
        favor_recall=True,  # a document that someone chose to ingest: too much text is better than too little
    )
    page = normalise_text(markup_text(main)) if main else ""
    if page:
        return Extracted((page,), "trafilatura")
    return Extracted((whole,), "html")


def _with_plain_captions(tree: "HtmlElement") -> "HtmlElement":
    """The tree with its captions as paragraphs: trafilatura loses one of two, or the table that one belongs to."""
    for caption in list(tree.iter("caption")):
        if (table := next(caption.iterancestors("table"), None)) is not None:
            # What comes after an element belongs to it in lxml, and stays where it was.
            paragraph = deepcopy(caption)
            paragraph.tag, paragraph.tail = "p", None
            caption.drop_tree()
            table.addprevious(paragraph)
    for tag, plain in (("figcaption", "p"), ("figure", "div")):
        for element in tree.iter(tag):
            element.tag = plain
    return tree


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
