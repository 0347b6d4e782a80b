"""Extracted text → one clean form: pure functions on strings, with every rule in sight.

The saved hash, the chunks and the citations all rest on this text, so it is made once, when a document is
read. Knows nothing about files, formats or tokens. A rule that guesses says so.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import NamedTuple

from dmdoc.text.spelling import Spellings

RUNNING_LINES = 2
"""How many lines of a running header (and of a running footer) are looked for on a page."""

RUNNING_LINE_PAGES = 3
"""A running header or footer recurs on at least this many pages, and on more than half of them."""

SHORT_LINE = 2 / 3
"""A line below this share of its page's usual width was ended by its author, not by the margin."""

SENTENCE_LINE = 0.9
"""So was a line that ends a sentence and, with the next line's first word, would be below this share."""

MOST_MARKS = 30
"""Combining marks that may follow a character, as in Unicode's stream-safe text format (UAX #15)."""

LONGEST_PART = 40
"""The most letters of a word looked at on either side of a line end."""

_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_BLANKS = str.maketrans(dict.fromkeys("\u00a0\u2007\u202f", " "))
_LINE_END = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SOFT_HYPHENATED = re.compile("\u00ad\n[ \t]*")
_HYPHENATED = re.compile(r"(?<=[^\W\d_])[-\u2010]\n[ \t]*(?=[^\W\d_])")
_PART_BEFORE = re.compile(r"[^\W\d_](?:[-\u2010]?[^\W\d_])*$")
_PART_AFTER = re.compile(r"[^\W\d_](?:[-\u2010]?[^\W\d_])*")
_MANY_MARKS = re.compile(r"[^\w\s\x00-\x7f]{31,}")
_BLANK_LINES = re.compile(r"\n{3,}")
_NUMBER = re.compile(r"\d+")
_LIST_ITEM = re.compile(r"(?:[-*•‣▪◦\u2013]|\(?\d{1,3}[.)]|\(?[a-z]\))\s")
_ENDS_AT_HYPHEN = re.compile(r"\w[-\u2010]$")
_ENDS_AT_DASHED_NUMBER = re.compile(r"\d[-\u2010]$")
_ENDS_SENTENCE = re.compile(r"[.!?:…][\"'\u201d\u2019)\]]*$")


@dataclass(frozen=True)
class Block:
    """Lines of a page that belong together."""

    text: str
    is_table: bool = False
    """Its lines are rows, which are not put together."""


def normalise_text(text: str, spellings: Spellings | None = None) -> str:
    """One page or file of plain text, its line structure kept; normalising again changes nothing.

    Unicode NFC; ligatures spelled out; soft hyphens, zero-width and control characters removed; no-break
    spaces made plain; line ends `\\n`; no blanks at line ends; at most one blank line in a row, none at the
    ends; of more than `MOST_MARKS` combining marks in a row the rest removed. A word hyphenated over a line end is
    joined when the next line goes on in lower case; whether its hyphen stays, `spellings` says, by default the
    text's own (spelling.py).
    """
    # PDF text may hold UTF-16 surrogates, which UTF-8 cannot: a pair is its character, a lone one U+FFFD.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = _LINE_END.sub("\n", text.translate(_LIGATURES).translate(_BLANKS))
    text = _INVISIBLE.sub("", _SOFT_HYPHENATED.sub("", text))
    if not text.isascii():
        # Sorting marks takes time in proportion to the square of their number.
        text = _fewer_marks(unicodedata.normalize("NFC", _fewer_marks(text)))
    text = _without_trailing_blanks(text)
    if _HYPHENATED.search(text):
        text = _join_hyphenated(text, spellings or Spellings(text))
    return _BLANK_LINES.sub("\n\n", text).strip("\n")


def normalise_pages(pages: Sequence[Sequence[Block]]) -> tuple[str, ...]:
    """Pages of laid-out text, such as a PDF's: running headers and footers removed, paragraphs put together.

    Returns one string a page, in order, with a blank line between its blocks; a page without text is "" and keeps its
    place.
    """
    spellings = Spellings("\n".join(block.text for page in pages for block in page))
    lines = [
        [
            _Line(line, block)
            for block in page
            if (text := normalise_text(block.text, spellings))
            for line in text.split("\n")
        ]
        for page in pages
    ]
    return tuple(
        "\n\n".join(
            filter(None, (_joined_block(list(own)) for _, own in groupby(page, lambda line: id(line.block))))
        )
        for page in _without_running_lines(lines)
    )


def remove_running_lines(pages: Sequence[str]) -> tuple[str, ...]:
    """Remove page headers and footers from pages of normalised text.

    A running line is a page's first or last line which, with its numbers masked, recurs in that place on at
    least `RUNNING_LINE_PAGES` pages and on more than half of the pages that have text. Its numbers stay or go up
    with the pages.
    """
    lines = [[_Line(line) for line in page.split("\n")] if page else [] for page in pages]
    return tuple("\n".join(line.text for line in page) for page in _without_running_lines(lines))


class _Line(NamedTuple):
    text: str
    block: Block | None = None


def _joined_block(lines: Sequence[_Line]) -> str:
    """The lines of one block, put together unless they are rows."""
    text = "\n".join(line.text for line in lines)
    rows = lines[0].block is not None and lines[0].block.is_table
    return text.strip("\n") if rows else join_paragraphs(text)


def _without_running_lines(pages: list[list[_Line]]) -> list[list[_Line]]:
    for edge in (0, -1):
        for _ in range(RUNNING_LINES):
            recurring = _recurring_lines(pages, edge)
            pages = [
                _without_edge(page, edge) if page and _masked(page[edge].text) in recurring else page
                for page in pages
            ]
    return pages


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
    pieces = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        pieces += [line, _separator(line, following, margin)]
    return _BLANK_LINES.sub("\n\n", "".join(pieces)).strip("\n")


def _separator(line: str, following: str, margin: int) -> str:
    """What stands between two lines of a page: nothing, a space, a line break or a paragraph break."""
    if not line or not following:
        return "\n\n"
    if _LIST_ITEM.match(following):
        return "\n" if _LIST_ITEM.match(line) else "\n\n"
    joined = "" if _ENDS_AT_HYPHEN.search(line) else " "
    if following[0].islower() or (_ENDS_AT_DASHED_NUMBER.search(line) and following[0].isdigit()):
        return joined
    if _ENDS_SENTENCE.search(line):
        first_word = following.split(maxsplit=1)[0]
        return "\n\n" if len(line) + len(first_word) < SENTENCE_LINE * margin else joined
    if len(line) >= SHORT_LINE * margin:
        return joined
    # Short lines in a row are the rows of a table, an address, a verse; one alone is a heading.
    return "\n" if len(following) < SHORT_LINE * margin else "\n\n"


def _without_trailing_blanks(text: str) -> str:
    return "\n".join(line.rstrip(" \t") for line in text.split("\n"))


def _join_hyphenated(text: str, spellings: Spellings) -> str:
    """The text with words joined that a hyphen at a line end breaks, where the next line goes on in lower case."""
    pieces, start = [], 0
    for match in _HYPHENATED.finditer(text):
        if not text[match.end()].islower():
            continue
        before = _PART_BEFORE.search(text[max(start, match.start() - LONGEST_PART) : match.start()])
        after = _PART_AFTER.match(text, match.end(), match.end() + LONGEST_PART)
        own = before and after and spellings.keeps_hyphen(before[0], after[0])
        pieces += [text[start : match.start()], match[0][0] if own else ""]
        start = match.end()
    return "".join([*pieces, text[start:]])


def _fewer_marks(text: str) -> str:
    """The text with at most `MOST_MARKS` combining marks in a row."""
    return _MANY_MARKS.sub(_without_surplus_marks, text)


def _without_surplus_marks(run: re.Match[str]) -> str:
    kept, marks = [], 0
    for character in run[0]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def _masked(line: str) -> str:
    return _NUMBER.sub("#", line.strip())


def _recurring_lines(pages: Sequence[list[_Line]], edge: int) -> set[str]:
    """The masked lines that run along one edge (0 the top, -1 the bottom) of the pages."""
    found = defaultdict[str, list[tuple[int, list[int]]]](list)
    for index, page in enumerate(pages):
        if page:
            # The last digits tell as much, and a number may have thousands.
            numbers = [int(number[-9:]) for number in _NUMBER.findall(page[edge].text)]
            found[_masked(page[edge].text)].append((index, numbers))
    enough = max(RUNNING_LINE_PAGES, sum(map(len, found.values())) // 2 + 1)
    return {line for line, places in found.items() if len(places) >= enough and _counts_pages(places)}


def _counts_pages(places: Sequence[tuple[int, list[int]]]) -> bool:
    """Whether the numbers of a line stay or go up as the pages do, which those of invoices do not.

    Args:
        places: the index of each page that has the line, and the numbers that it has there.
    """
    steps = [
        [after - before in (0, later - page) for before, after in zip(numbers, others, strict=True)]
        for (page, numbers), (later, others) in pairwise(places)
    ]
    return all(2 * sum(column) > len(steps) for column in zip(*steps, strict=True))


def _without_edge(page: list[_Line], edge: int) -> list[_Line]:
    """A page less its first or last line and the blank lines that stood between that line and the text."""
    first, end = (1, len(page)) if edge == 0 else (0, len(page) - 1)
    while first < end and not page[first if edge == 0 else end - 1].text:
        first, end = (first + 1, end) if edge == 0 else (first, end - 1)
    return page[first:end]
