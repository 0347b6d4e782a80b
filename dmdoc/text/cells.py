"""The cells of a line: of a row of a table, of `Heading: value; Heading: value`, or of one `Label: value`.

Knows nothing about where in a document the line stands; the headings of its table it is told.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

GAP = r"\t+|[ ]*\|[ ]*|[ ]{3,}"
"""What stands between two cells of a row; a table may be laid out with blanks."""

_GAP = re.compile(GAP)
ITEM = re.compile(r"(?:[-*•‣]|\d{1,3}[.)])[ ]+")
"""The mark of a list before a line."""

_PERIOD = re.compile(r"(?<=\w )(?:(?:19|20)\d\d|Q[1-4]|\([^()]*\))(?!\w)")
_NAMED = re.compile(r"(?P<name>[^\W_][^:;|\n.!?]{0,39}?)(?::[ ]+|[ ]?\.{3,}[ ]+)(?=\S)")
_COMMA = re.compile(r",? and |[,;] ")
_BETWEEN = re.compile(r";[ ]+")


class Cell(NamedTuple):
    """A value, and what names it."""

    start: int
    end: int
    """Where the value stands in its line, in characters."""
    name: str = ""
    """Its label, or the heading of its column."""


def is_row(line: str) -> bool:
    """Whether a line has several cells of a table."""
    return len(_pieces(line)) > 1


def headings(line: str) -> tuple[str, ...]:
    """The cells of a row that could be the headings of a table; none if one of them has a number.

    A year, a quarter or what stands in brackets behind a word is no number: "Sales 2024", "Rent Q1 (1,000 EUR)".
    """
    cells = tuple(line[start:end] for start, end in _pieces(line))
    return () if any(re.search(r"\d", _PERIOD.sub("", cell)) for cell in cells) else cells


def enumerated(value: str) -> int:
    """How many names a value enumerates ("Olsen, Hauge and Moe"); 1 of anything else."""
    items = _COMMA.split(value)
    return len(items) if all(item[:1].isupper() for item in items) else 1


def split_cells(line: str, heads: Sequence[str] = ()) -> list[Cell]:
    """The cells of a line, in order; none of a line that is neither a row nor has labels.

    Args:
        heads: the headings of the table that it is a row of; the column of what the rows are about may have none.
    """
    if "\n" in line:
        return []
    pieces = _pieces(line)
    if len(pieces) > 1:
        missing = len(pieces) - len(heads)
        named = ["", *heads] if missing == 1 else list(heads) if missing == 0 else [""] * len(pieces)
        return [Cell(*piece, name) for piece, name in zip(pieces, named, strict=True)]
    pairs = [_NAMED.match(line, *piece) for piece in _pieces(line, _BETWEEN)]
    ends = [end for _, end in _pieces(line, _BETWEEN)]
    found = [Cell(pair.end(), end, pair["name"]) for pair, end in zip(pairs, ends, strict=True) if pair]
    if len(found) < len(pairs) or not found:
        first = pairs[0] if pairs else None
        return [Cell(first.end(), len(line), first["name"])] if first else []
    return found


def _pieces(line: str, between: re.Pattern[str] = _GAP) -> list[tuple[int, int]]:
    """Where the parts of a line stand that are not blank, without the mark of a list before them."""
    mark = ITEM.match(line)
    found, begin = [], mark.end() if mark else 0
    for gap in between.finditer(line, begin):
        found.append((begin, gap.start()))
        begin = gap.end()
    found.append((begin, len(line)))
    return [(start, end) for start, end in found if line[start:end].strip()]
