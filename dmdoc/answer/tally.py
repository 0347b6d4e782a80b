"""Which items of a list, or rows of a table, a question counts or asks for all of.

They are those of one list or table that speaks of what is counted: in its heading, the line before it or the headings
of its columns, or in each item. What the question says besides, each of them has to say itself. Knows nothing about
models.
"""

import re
from collections.abc import Iterator, Sequence

from dmdoc.answer.statements import Statement
from dmdoc.text.cells import ITEM, enumerated, split_cells
from dmdoc.text.words import alike, split_words, telling_words

_ASKED = re.compile(
    r"\b(?:how many|number of|list|name all|enumerate|(?:what|who|which) are all)\b(?: (?:of|the|all|its|their))*",
    re.IGNORECASE,
)
_SAYS_LITTLE = {"list", "listed", "table", "total", "altogether", "document", "different", "names", "given"}
_PEOPLE = {"people", "persons", "person", "names"}


def tally(question: str, written: Sequence[Statement]) -> tuple[Statement, ...]:
    """The items or rows that are asked for; none where no list or table speaks of them.

    Args:
        written: the statements of the document, in order.
    """
    asked = _ASKED.search(question)
    sought = telling_words(question[asked.end() :]) if asked else []
    if not sought:
        return ()
    for items, about in _lists(written):
        there = [split_words(each.text) for each in items]
        if not _among(sought[0], about) and not all(_among(sought[0], own) for own in there):
            continue
        rest = [word for word in sought[1:] if word not in _SAYS_LITTLE and not _among(word, about)]
        chosen = [
            each for each, own in zip(items, there, strict=True) if all(_among(word, own) for word in rest)
        ]
        if chosen:
            return tuple(chosen)
    return ()


def count_names(question: str, written: Sequence[Statement]) -> tuple[int, tuple[Statement, ...]]:
    """How many names stand behind the label that a question names ("How many were present?"), and where; or 0."""
    asked = _ASKED.search(question)
    sought = telling_words(question[asked.end() :]) if asked else []
    for each in written:
        for cell in split_cells(each.text):
            label, items = split_words(cell.name), enumerated(each.text[cell.start : cell.end].rstrip(" .;"))
            if items > 1 and any(_among(word, label) for word in sought if word not in _PEOPLE):
                return items, (each,)
    return 0, ()


def _lists(written: Sequence[Statement]) -> Iterator[tuple[list[Statement], list[str]]]:
    """The items of each list and the rows of each table, with the words that tell what it is of."""
    items: list[Statement] = []
    before = ""
    for each in (*written, None):
        if each is not None and not each.names and (ITEM.match(each.text) or each.heads):
            items.append(each)
            continue
        if items:
            heads = items[0].heads or [cell.name for cell in split_cells(items[0].text)]
            yield items, split_words(" ".join((items[0].around, *heads, before)))
        items, before = [], "" if each is None else each.text


def _among(word: str, words: Sequence[str]) -> bool:
    return any(alike(word, other) for other in words)
