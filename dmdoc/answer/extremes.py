"""Which row of a table has the most or the least of what a question names: "Which branch has the most staff?".

Every cell of that column has to be a number, a date or a time of day, and all that the question says has to stand in
the headings of the table or above it: of a condition besides, nobody knows which rows meet it. Knows nothing about
models.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import NamedTuple

from dmdoc.answer.statements import Statement
from dmdoc.text.cells import Cell, split_cells
from dmdoc.text.words import alike, split_words, telling_words

_EXTREMES = """
most highest maximum = +
least lowest fewest minimum = -
largest biggest greatest = + size area population capacity members
smallest = - size area population capacity members
longest = + length distance duration long km miles hours minutes
shortest = - length distance duration long km miles hours minutes
tallest = + height
deepest = + depth
heaviest = + weight mass kg
lightest = - weight mass kg
cheapest = - price cost fee fare rent
dearest expensive costliest = + price cost fee fare rent
oldest = - built founded opened established born year since + age
newest youngest = + built founded opened established born year since - age
earliest first = - date time day year start begins departure departs
latest last = + date time day year start begins departure departs
"""
"""Words of questions; more (+) or less (-) of what they want, and the headings that they may mean unnamed."""

_PERSON = (
    "manager",
    "owner",
    "person",
    "employee",
    "member",
    "player",
    "driver",
    "author",
    "contact",
    "name",
)
_OTHER_ROW = re.compile(r"\b(?:second|third|fourth|fifth|next|not|than|after|before|until)\b", re.IGNORECASE)
_NOUN = re.compile(r"\b(?:which|what) (?:of the )?(\w+)", re.IGNORECASE)
_VALUE = re.compile(r"\s*(?:how|when)\b", re.IGNORECASE)
_IS = re.compile(r"\s*(?:which|what) (?:is|was|are|were)\b", re.IGNORECASE)
_NUMBER = re.compile(
    r"(?:[$\u20ac\u00a3\u00a5]|[A-Z]{3})? ?(-?\d[\d.,' \u00a0]*)"
    r"(?:[$\u20ac\u00a3\u00a5%]|\u00b0[CF]?|[^\W\d]{1,10}(?:/[a-z]+)?)?"
)
_CLOCK = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)(?: ?h)?")
_DECIMAL_COMMA = re.compile(r"-?\d+,(?:\d{1,2}|\d{4,})")


class Extreme(NamedTuple):
    """The row, from where to where in it the answer stands, and among how many it is the one."""

    row: Statement
    cell: tuple[int, int]
    rows: int


def extreme(question: str, written: Sequence[Statement]) -> Extreme | None:
    """The row that is asked for; None where no table tells, or where several rows have the same.

    Args:
        written: the statements of the document, in order.
    """
    asked = split_words(question)
    sought = next((word for word in asked if word in _SIGNS), None)
    if sought is None or _OTHER_ROW.search(question):
        return None
    words = [word for word in telling_words(question) if word != sought]
    for rows in _tables(written):
        names = [cell.name for cell in rows[0][1]]
        cells = [[row.text[cell.start : cell.end] for cell in own] for row, own in rows]
        about = split_words(" ".join((*names, rows[0][0].around)))
        if not all(_among(word, about) for word in words):
            continue
        for column, sign in _columns(sought, words, names, cells):
            values = [sign * (value(row[column]) or 0.0) for row in cells]
            best = values.index(max(values))
            if len(rows) > 1 and values.count(max(values)) == 1:
                number = _answering(question, names, column)
                row, own = rows[best]
                start, text = own[number].start, cells[best][number].rstrip(" .;")
                return Extreme(row, (start, start + len(text)), len(rows))
    return None


def value(cell: str) -> float | None:
    """What a cell comes to: a number with or without a unit, a date as 2024-03-11, or a time of day; else None."""
    cell = cell.strip(" .;")
    if clock := _CLOCK.fullmatch(cell):
        return int(clock[1]) * 60 + int(clock[2])
    if re.fullmatch(r"\d{4}-\d\d-\d\d", cell):
        try:
            return date.fromisoformat(cell).toordinal()
        except ValueError:
            return None
    found = _NUMBER.fullmatch(cell)
    if found is None:
        return None
    digits = re.sub(r"[ '\u00a0]", "", found[1]).rstrip(".,")
    digits = digits.replace(",", "." if _DECIMAL_COMMA.fullmatch(digits) else "")
    return float(digits if digits.count(".") < 2 else digits.replace(".", ""))


def _signs() -> dict[str, list[tuple[int, list[str]]]]:
    """For each word of a question whether the most (1) or the least (-1) is asked for, and of which headings."""
    found = {}
    for line in _EXTREMES.strip().splitlines():
        words, _, wanted = line.partition(" = ")
        pairs = re.findall(r"([+-])([^+-]*)", wanted)
        for word in words.split():
            found[word] = [(1 if sign == "+" else -1, heads.split()) for sign, heads in pairs]
    return found


_SIGNS = _signs()


def _tables(written: Sequence[Statement]) -> Iterator[list[tuple[Statement, list[Cell]]]]:
    """The rows of each table whose columns have names, by headings above or by labels in each row."""
    found = [(each, split_cells(each.text, each.heads)) for each in written if not each.names]
    for names, rows in groupby(found, lambda row: [cell.name for cell in row[1]]):
        if len(names) > 1 and any(names):
            yield list(rows)


def _columns(
    sought: str, words: Sequence[str], names: Sequence[str], cells: Sequence[Sequence[str]]
) -> list[tuple[int, int]]:
    """The one column that can be compared and is meant, with the sign of what is wanted; none where several are."""
    found = []
    for column, name in enumerate(names):
        heads = split_words(name)
        if any(value(row[column]) is None for row in cells):
            continue
        named = sum(_among(word, heads) for word in words)
        meant = next((sign for sign, own in _SIGNS[sought] if any(_among(head, own) for head in heads)), 0)
        if named or meant:
            found.append((named + bool(meant), column, meant or _SIGNS[sought][0][0]))
    best = max((worth for worth, _, _ in found), default=0)
    chosen = [(column, sign) for worth, column, sign in found if worth == best]
    return chosen if len(chosen) == 1 else []


def _answering(question: str, names: Sequence[str], compared: int) -> int:
    """The column that answers: the one named behind "which", the compared one, or that of whom or what it is."""
    noun = _NOUN.search(question)
    heads = [split_words(name) for name in names]
    for column, own in enumerate(heads):
        if noun and _among(noun[1].lower(), own):
            return column
    named = any(_among(word, heads[compared]) for word in telling_words(question) if word not in _SIGNS)
    if _VALUE.match(question) or (_IS.match(question) and named):
        return compared
    if re.search(r"\bwho\b", question, re.IGNORECASE):
        return next(
            (column for column, own in enumerate(heads) if any(_among(word, own) for word in _PERSON)), 0
        )
    return 0


def _among(word: str, words: Sequence[str]) -> bool:
    return any(alike(word, other) for other in words)
