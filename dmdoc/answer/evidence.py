"""Where a document's text speaks of something: its passages with their pages, ranked by BM25.

Shown as citations after an answer, or put before the model when it is asked to answer from the text. Knows nothing
about models, states or tokens.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from dmdoc.text.sentences import split_sentences

PASSAGE_CHARACTERS = 300
"""The most characters of a passage where nothing else is asked for: two or three sentences."""

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
    found = [(number, text) for number, page in enumerate(pages, 1) for text in _cut(page, longest, size)]
    scores = word_scores([text for _, text in found], f"{question}\n{answer}")
    best = sorted(range(len(found)), key=lambda at: -scores[at])[:most]
    return marked([Passage(*found[at]) for at in best if scores[at] > 0], answer)


def word_scores(texts: Sequence[str], sought: str) -> list[float]:
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


def _cut(page: str, longest: int, size: Callable[[str], int]) -> Iterator[str]:
    """Consecutive sentences, as many as `longest` allows; a sentence that exceeds it alone is parted."""
    begin = last = 0
    for start, end in split_sentences(page):
        for piece_start, piece_end in _part(page, start, end, longest, size):
            if last > begin and size(page[begin:piece_end]) > longest:
                yield page[begin:last]
                begin = piece_start
            elif last == begin:
                begin = piece_start
            last = piece_end
    if last > begin:
        yield page[begin:last]


def _part(
    page: str, start: int, end: int, longest: int, size: Callable[[str], int]
) -> Iterator[tuple[int, int]]:
    """Spans of at most `longest`, cut at a blank near the middle where there is one."""
    if end - start <= 1 or size(page[start:end]) <= longest:
        yield start, end
        return
    middle = (start + end) // 2
    blank = page.rfind(" ", start + 1, middle)
    cut, resume = (middle, middle) if blank < 0 else (blank, blank + 1)
    yield from _part(page, start, cut, longest, size)
    yield from _part(page, resume, end, longest, size)


def _words(text: str) -> list[str]:
    return re.findall(_WORD, text.lower())


def _holds(words: list[str], sought: list[str]) -> bool:
    """Whether `sought`, if it is anything, stands in `words` in one piece."""
    spans = range(len(words) - len(sought) + 1)
    return bool(sought) and any(words[at : at + len(sought)] == sought for at in spans)
