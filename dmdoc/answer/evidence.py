"""Where a document's text speaks of something: its passages with their pages, ranked by BM25.

Shown as citations after an answer, or put before the model when it is asked to answer from the text. Knows nothing
about models, states or tokens.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dmdoc.text.passages import PASSAGE_CHARACTERS, split_passages

# The Chinese and Japanese write no blanks between words, so each of their characters counts as one.
_WORD = r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+"


@dataclass(frozen=True)
class Passage:
    """A few sentences of one page."""

    page: int
    """Counted from 1."""
    text: str
    verbatim: bool = False
    """It holds the answer word for word (case and punctuation aside)."""
    mark: tuple[int, int] | None = None
    """Where an answer that was chosen from the text stands in it: from and to, in characters."""


def passages(
    pages: Sequence[str],
    question: str,
    answer: str = "",
    *,
    most: int = 3,
    longest: int = PASSAGE_CHARACTERS,
    size: Callable[[str], int] = len,
) -> tuple[Passage, ...]:
    """The passages that share the most telling words with the question and the answer, the best first.

    English function words are left out of account.

    Args:
        most: how many; fewer where no other passage shares a word.
        longest: the size that no passage exceeds.
        size: of a text; in characters unless told.
    """
    found = [
        (number, page[start:end])
        for number, page in enumerate(pages, 1)
        for start, end in split_passages(page, longest, size)
    ]
    scores = _word_scores([text for _, text in found], f"{question}\n{answer}")
    best = sorted(range(len(found)), key=lambda at: -scores[at])[:most]
    return marked([Passage(*found[at]) for at in best if scores[at] > 0], answer)


def _word_scores(texts: Sequence[str], sought: str) -> list[float]:
    """BM25: how telling the words are that each text shares with what is sought; 0 where it shares none."""
    import bm25s  # here, so that an answer without it does not wait for it

    *corpus, query = bm25s.tokenize(
        [*texts, sought], token_pattern=_WORD, return_ids=False, show_progress=False
    )
    if not query or not any(corpus):
        return [0.0] * len(texts)
    ranking = bm25s.BM25()
    ranking.index(corpus, show_progress=False)
    found: list[float] = ranking.get_scores(query).tolist()
    return found


def marked(found: Sequence[Passage], answer: str) -> tuple[Passage, ...]:
    """The same passages, marked where they hold the answer word for word."""
    sought = _words(answer)
    return tuple(replace(passage, verbatim=_holds(_words(passage.text), sought)) for passage in found)


def _words(text: str) -> list[str]:
    return re.findall(_WORD, text.lower())


def _holds(words: list[str], sought: list[str]) -> bool:
    """Whether `sought`, if it is anything, stands in `words` in one piece."""
    spans = range(len(words) - len(sought) + 1)
    return bool(sought) and any(words[at : at + len(sought)] == sought for at in spans)
