"""The statements of a document's text: its sentences and lines, each with its place, ranked for a question.

Ranking is by BM25 over the stems of words, in SQLite's FTS5. Knows nothing about models or states; where sections begin
it is told.
"""

import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

from dmdoc.text.candidates import split_statements
from dmdoc.text.words import split_words, telling_words

TOKENIZER = "porter unicode61 remove_diacritics 2"
"""SQLite's: the stems of English words."""

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
    rank: float = 0.0
    """Its BM25 score for a question, as a share of the best statement's; 0 where none was ranked."""


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


def rank(found: Sequence[Statement], question: str, most: int) -> list[Statement]:
    """Those that share telling words with the question, or forms of them, the best first, with their ranks."""
    query = " OR ".join(f'"{word}"' for word in telling_words(question))
    if not query:
        return []
    with closing(sqlite3.connect(":memory:")) as index:
        index.execute(f"CREATE VIRTUAL TABLE statements USING fts5 (words, tokenize = '{TOKENIZER}')")
        words = ((number, " ".join(split_words(each.text))) for number, each in enumerate(found, 1))
        index.executemany("INSERT INTO statements (rowid, words) VALUES (?, ?)", words)
        best = index.execute(
            "SELECT rowid - 1, -bm25(statements) AS score FROM statements WHERE statements MATCH ? "
            "ORDER BY score DESC, rowid LIMIT ?",
            (query, most),
        ).fetchall()
    return [found[number]._replace(rank=score / best[0][1]) for number, score in best]
