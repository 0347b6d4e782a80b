"""The statements of a document's text: its sentences and lines, each with its place, ranked for a question.

Ranking is by BM25 over words. Knows nothing about models or states; where sections begin it is told.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from dmdoc.answer.evidence import word_scores
from dmdoc.text.candidates import split_statements

BETWEEN_PAGES = "\n\n"
"""What stands between two pages in the text of a document."""


class Statement(NamedTuple):
    """A sentence, or a line of a list or a table."""

    section: int
    """The one that it begins in, counted from 0."""
    page: int
    """Counted from 1."""
    start: int
    """In the text of its page, in characters."""
    text: str


def statements(pages: Sequence[str], sections: Sequence[int]) -> list[Statement]:
    """All of a document, in order.

    Args:
        pages: their texts.
        sections: where each section begins in the whole text, in characters.
    """
    found, begin = [], 0
    for number, page in enumerate(pages, 1):
        if not page:
            continue
        for start, stop in split_statements(page):
            section = max(0, bisect_right(sections, begin + start) - 1)
            found.append(Statement(section, number, start, page[start:stop]))
        begin += len(page) + len(BETWEEN_PAGES)
    return found


def rank(found: Sequence[Statement], question: str) -> list[Statement]:
    """Those that share telling words with the question, the best first."""
    scores = word_scores([statement.text for statement in found], question)
    best = sorted(range(len(found)), key=lambda at: scores[at], reverse=True)
    return [found[at] for at in best if scores[at] > 0]
