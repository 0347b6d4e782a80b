"""How well a phrase of a text answers a question: what the state says of it, and how it stands in its sentence.

Knows nothing about models; likelihoods come in as numbers.
"""

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from dmdoc.answer.statements import Statement
from dmdoc.text.asked import is_of_kind, kind_asked
from dmdoc.text.candidates import Candidate
from dmdoc.text.words import split_words, telling_words

FAR = 10
"""Words; what stands farther away counts as so far."""

STEM = 5
"""Letters that two words have in common at their beginning where one is a form of the other."""


class Measures(NamedTuple):
    """What is known of a phrase; as WEIGHTS, what each is worth."""

    likelihood: float
    """Mean log-likelihood of its tokens and the end of the answer behind the question, in nats a token."""
    likeness: float
    """To the model's free answer: the share of their characters that both have, in order; 0 to 1."""
    rank: float
    """The BM25 score of its statement, as a share of the best statement's."""
    words: float
    """How many it has."""
    distance: float
    """Words between it and those of its statement that the question has, too; their mean, as a share of FAR."""
    kind: float
    """1 where it looks like what is asked for: a name, a date, a number; else 0."""


WEIGHTS = Measures(likelihood=1.0, likeness=0.7, rank=2.0, words=-0.28, distance=-1.2, kind=1.25)
"""In the proportions that made the right phrases of training data likeliest among all (docs/answers.md)."""


class Asked:
    """A question as its phrases are weighed for it, and the free answer to it."""

    def __init__(self, question: str, free: str) -> None:
        self._stems = {_stem(word) for word in telling_words(question)}
        self._kind = kind_asked(question)
        self._free = free.lower()

    def measure(self, candidate: Candidate, statement: Statement, likelihood: float) -> Measures:
        before = split_words(statement.text[: candidate.start])
        own = split_words(candidate.text)
        after = split_words(statement.text[candidate.end :])
        return Measures(
            likelihood=likelihood,
            likeness=SequenceMatcher(None, candidate.text.lower(), self._free, autojunk=False).ratio(),
            rank=statement.rank,
            words=len(own),
            distance=self._distance(before, after),
            kind=is_of_kind(candidate.text, self._kind),
        )

    def _distance(self, before: Sequence[str], after: Sequence[str]) -> float:
        found = [
            min(FAR, distance)
            for side in (reversed(before), after)
            for distance, word in enumerate(side, 1)
            if _stem(word) in self._stems
        ]
        return sum(found) / len(found) / FAR if found else 1.0


def weigh(measures: Measures) -> float:
    """The more, the better it answers."""
    return sum(weight * value for weight, value in zip(WEIGHTS, measures, strict=True))


def _stem(word: str) -> str:
    return word[:STEM] if len(word) > STEM else word.rstrip("s")
