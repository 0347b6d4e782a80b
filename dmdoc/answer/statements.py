"""The statements of a document's text: its sentences and lines, each with its place, ranked for a question.

Ranking is by BM25 over words. Knows nothing about models or states; where sections begin it is told.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from dmdoc.answer.evidence import word_scores
from dmdoc.text.candidates import split_statements

BETWEEN_PAGES = "\n\n"
"""What stands between two pages in the text of a document."""


class Statement(NamedTuple):
    """A sentence, or a line of a list or a table."""

    page: int
    """Counted from 1."""
    start: int
    """In the text of its page, in characters."""
    text: str


def statements(pages: Sequence[str], begin: int, end: int) -> list[Statement]:
    """Those of a text that begin in `[begin, end)`, characters of the whole text: its pages, two characters between."""
    numbers = [number for number, page in enumerate(pages, 1) if page]
    starts = list(
        accumulate((len(pages[number - 1]) + len(BETWEEN_PAGES) for number in numbers[:-1]), initial=0)
    )
    found = []
    for at in range(max(0, bisect_right(starts, begin) - 1), len(numbers)):
        if starts[at] >= end:
            break
        page = pages[numbers[at] - 1]
        for start, stop in split_statements(page):
            if begin <= starts[at] + start < end:
                found.append(Statement(numbers[at], start, page[start:stop]))
    return found


def rank(found: Sequence[Statement], question: str) -> list[Statement]:
    """Those that share telling words with the question, the best first; all in their order where none does."""
    scores = word_scores([statement.text for statement in found], question)
    best = sorted(
        (at for at, score in enumerate(scores) if score > 0), key=lambda at: scores[at], reverse=True
    )
    return [found[at] for at in best] or list(found)
