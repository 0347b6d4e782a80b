"""Extracted text → one clean form: pure functions on strings, with every rule in sight.

The saved hash, the chunks and the citations all rest on this text, so it is made once, when a document is
read. Knows nothing about files, formats or tokens. A rule that guesses says so.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

RUNNING_LINES = 2
"""How many lines of a running header (and of a running footer) are looked for on a page."""

RUNNING_LINE_PAGES = 3
"""A running header or footer recurs on at least this many pages, and on more than half of them."""

SHORT_LINE = 2 / 3
"""A line below this share of its page's usual width was ended by its author, not by the margin."""

SENTENCE_LINE = 0.9
"""So was a line that ends a sentence and, with the next line's first word, would be below this share."""

_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_BLANKS = str.maketrans(dict.fromkeys("\u00a0\u2007\u202f", " "))
_LINE_END = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SOFT_HYPHENATED = re.compile("\u00ad\n[ \t]*")
_HYPHENATED = re.compile(r"([^\W\d_])[-\u2010]\n[ \t]*([^\W\d_])")
_TRAILING_BLANKS = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")
_NUMBER = re.compile(r"\d+")
_LIST_ITEM = re.compile(r"(?:[-*•‣▪◦\u2013]|\(?\d{1,3}[.)]|\(?[a-z]\))\s")
_ENDS_AT_HYPHEN = re.compile(r"\w[-\u2010]$")
_ENDS_SENTENCE = re.compile(r"[.!?:…][\"'\u201d\u2019)\]]*$")


def normalise_text(text: str) -> str:
    """One page or file of plain text, its line structure kept.

    Unicode NFC; ligatures spelled out; soft hyphens, zero-width and control characters removed; no-break
    spaces made plain; line ends `\\n`; no blanks at line ends; at most one blank line in a row, none at the
    ends. A word hyphenated over a line end is joined when the next line goes on in lower case. This is the
    usual heuristic: it also makes `wellknown` of a `well-known` that was broken at its own hyphen.
    """
    # PDF text may hold UTF-16 surrogates, which UTF-8 cannot: a pair is its character, a lone one U+FFFD.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = unicodedata.normalize("NFC", text.translate(_LIGATURES).translate(_BLANKS))
    text = _TRAILING_BLANKS.sub("", _LINE_END.sub("\n", text))
    text = _INVISIBLE.sub("", _SOFT_HYPHENATED.sub("", text))
    text = _TRAILING_BLANKS.sub("", _HYPHENATED.sub(_join_hyphenated, text))
    return _BLANK_LINES.sub("\n\n", text).strip("\n")


def normalise_pages(pages: Sequence[str]) -> tuple[str, ...]:
    """Pages of laid-out text, such as a PDF's: running headers and footers removed, paragraphs put together.

    Returns one string a page, in order; a page without text is "" and keeps its place.
    """
    clean = remove_running_lines([normalise_text(page) for page in pages])
    return tuple(join_paragraphs(page) for page in clean)


def remove_running_lines(pages: Sequence[str]) -> tuple[str, ...]:
    """Remove page headers and footers from pages of normalised text.

    A running line is a page's first or last line which, with its numbers masked, recurs in that place on at
    least `RUNNING_LINE_PAGES` pages and on more than half of the pages that have text.
    """
    lines = [page.split("\n") if page else [] for page in pages]
    for edge in (0, -1):
        for _ in range(RUNNING_LINES):
            recurring = _recurring_lines(lines, edge)
            lines = [
                _without_edge(page, edge) if page and _masked(page[edge]) in recurring else page
                for page in lines
            ]
    return tuple("\n".join(page) for page in lines)


def join_paragraphs(page: str) -> str:
    """Join the lines of a page that the margin broke; a blank line separates paragraphs.

    Breaks are kept at blank lines, before list items, and after lines that stop well short of the margin (a
    paragraph's last line, a heading, a table row) unless the next line goes on in lower case. It is a guess:
    a paragraph whose last line happens to fill the margin runs on into the next one.
    """
    lines = [line.strip() for line in page.split("\n")]
    lengths = sorted(len(line) for line in lines if line)
    # Not the longest line: one wide table row should not make every line of prose look short.
    margin = lengths[len(lengths) * 9 // 10] if lengths else 0
    joined = ""
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        joined += line + _separator(line, following, margin)
    return _BLANK_LINES.sub("\n\n", joined).strip("\n")


def _separator(line: str, following: str, margin: int) -> str:
    """What stands between two lines of a page: nothing, a space, a line break or a paragraph break."""
    if not line or not following:
        return "\n\n"
    if _LIST_ITEM.match(following):
        return "\n" if _LIST_ITEM.match(line) else "\n\n"
    joined = "" if _ENDS_AT_HYPHEN.search(line) else " "
    if following[0].islower():
        return joined
    if _ENDS_SENTENCE.search(line):
        first_word = following.split(maxsplit=1)[0]
        return "\n\n" if len(line) + len(first_word) < SENTENCE_LINE * margin else joined
    if len(line) >= SHORT_LINE * margin:
        return joined
    # Short lines in a row are the rows of a table, an address, a verse; one alone is a heading.
    return "\n" if len(following) < SHORT_LINE * margin else "\n\n"


def _join_hyphenated(match: re.Match[str]) -> str:
    return match[1] + match[2] if match[2].islower() else match[0]


def _masked(line: str) -> str:
    return _NUMBER.sub("#", line.strip())


def _recurring_lines(pages: Sequence[list[str]], edge: int) -> set[str]:
    """The masked lines that run along one edge (0 the top, -1 the bottom) of the pages."""
    counts = Counter(_masked(page[edge]) for page in pages if page)
    enough = max(RUNNING_LINE_PAGES, counts.total() // 2 + 1)
    return {line for line, count in counts.items() if count >= enough}


def _without_edge(page: list[str], edge: int) -> list[str]:
    """A page less its first or last line and the blank lines that stood between that line and the text."""
    rest = page[1:] if edge == 0 else page[:-1]
    while rest and not rest[edge]:
        rest = rest[1:] if edge == 0 else rest[:-1]
    return rest
