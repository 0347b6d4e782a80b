"""How well a phrase of a text answers a question: what the state says of it, and how it stands in its sentence.

Knows nothing about models; likelihoods come in as numbers.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from math import log
from typing import NamedTuple

from dmdoc.answer.statements import Statement
from dmdoc.text.asked import fits_kind, kind_asked
from dmdoc.text.candidates import Candidate
from dmdoc.text.cells import Cell, split_cells
from dmdoc.text.words import alike, names, split_words, telling_words

FAR = 10
"""Words; what stands farther away counts as so far."""

MARKS = {",": 1, ")": 3} | dict.fromkeys([";", "|", "\n", "but", "whereas", "while", "however", "unlike"], 4)
"""How many words a mark, or a word of contrast, counts between a phrase and a word: it ends what belongs together."""

NAMED = 2.0
"""What a name or a number of the question counts beside another of its words."""

TITLED = 0.5
"""What a word counts that the title of the document has: all of it may be about that."""

_NOUN = re.compile(r"\b(?:which|what) ((?:\w+ )?\w+)", re.IGNORECASE)
_STEP = re.compile(r"[^\W_]+|[,;|\n)]")


class Measures(NamedTuple):
    """What is known of a phrase; as WEIGHTS, what each is worth."""

    likelihood: float
    """Mean log-likelihood of its tokens and the end of the answer behind the question, in nats a token."""
    rank: float
    """The BM25 score of its statement, as a share of the best statement's."""
    words: float
    """How many it has."""
    distance: float
    """Words between it and the words of the question that its statement has; their mean, as a share of FAR. The fewer
    statements have a word, the more it counts."""
    kind: float
    """How far it looks like what is asked for (a name, a date, a number), from 0 to 1."""
    whole: float
    """1 where it is all that its cell holds; else 0."""
    echo: float
    """The share of its words that the question has."""
    noun: float
    """1 where it has the noun that is asked for: "pier 9" for "which pier"; else 0."""
    covers: float
    """The share of the question's words that its statement has, or what stands around that; counted likewise. Of a
    table a cell says what its row is about, its heading and its value, and nothing else."""


WEIGHTS = Measures(
    likelihood=1.0,
    rank=1.6,
    words=-0.55,
    distance=-4.2,
    kind=1.4,
    whole=0.7,
    echo=-1.6,
    noun=1.8,
    covers=4.8,
)
"""In the proportions that made the right phrases of training data likeliest among all (docs/answers.md)."""


class Asked:
    """A question as its phrases are weighed for it.

    Args:
        read: the statements that give the phrases.
        title: of their document.
    """

    def __init__(self, question: str, read: Sequence[Statement], title: str = "") -> None:
        self._kind = kind_asked(question)
        self._words = telling_words(question)
        self._nouns = telling_words(" ".join(_NOUN.findall(question)))
        there = [self._shared(split_words(" ".join((each.text, each.around, *each.heads)))) for each in read]
        worth = dict.fromkeys(names(question), NAMED)
        worth |= dict.fromkeys(self._shared(split_words(title)), TITLED)
        self._counts = {
            word: log(1 + len(there) / number) * worth.get(word, 1.0)
            for word in self._words
            if (number := sum(word in own for own in there))
        }

    def measure(self, candidate: Candidate, statement: Statement, likelihood: float) -> Measures:
        cell, own = _cell(candidate, statement), split_words(candidate.text)
        before, after = statement.text[: candidate.start], statement.text[candidate.end :]
        if cell is not None:
            before = f"{cell.row} {cell.name} {statement.text[cell.start : candidate.start]}"
            after = statement.text[candidate.end : cell.end]
        return Measures(
            likelihood=likelihood,
            rank=statement.rank,
            words=len(candidate.text.split()),
            distance=self._distance(before, after),
            kind=fits_kind(candidate.text, self._kind),
            whole=float(cell is not None and _fills(candidate, cell, statement.text)),
            echo=sum(map(self._asks, own)) / max(1, len(own)),
            noun=float(any(alike(word, noun) for word in own for noun in self._nouns)),
            covers=self._covers(f"{before} {candidate.text} {after} {statement.around}"),
        )

    def _covers(self, text: str) -> float:
        there = self._shared(split_words(text))
        return self._count(there) / self._count(self._counts) if self._counts else 0.0

    def _asks(self, word: str) -> bool:
        return any(alike(word, own) for own in self._words)

    def _shared(self, words: Sequence[str]) -> set[str]:
        """The words of the question that stand among others, or forms of them."""
        return {own for own in self._words if any(alike(word, own) for word in words)}

    def _count(self, words: Iterable[str]) -> float:
        return sum(self._counts.get(word, 0.0) for word in words)

    def _distance(self, before: str, after: str) -> float:
        nearest: dict[str, int] = {}
        for side in (reversed(_STEP.findall(before.lower())), _STEP.findall(after.lower())):
            for word, steps in self._steps(side):
                nearest[word] = min(FAR, steps, nearest.get(word, FAR))
        found = sum(self._count([word]) * steps for word, steps in nearest.items())
        return found / self._count(nearest) / FAR if nearest else 1.0

    def _steps(self, side: Iterable[str]) -> Iterator[tuple[str, int]]:
        """The words of the question that stand to one side, and how far away, going from the phrase."""
        steps = 0
        for piece in side:
            steps += MARKS.get(piece, 1)
            yield from ((word, steps) for word in self._words if alike(piece, word))


def weigh(measures: Measures) -> float:
    """The more, the better it answers."""
    return sum(weight * value for weight, value in zip(WEIGHTS, measures, strict=True))


def _cell(candidate: Candidate, statement: Statement) -> Cell | None:
    """The cell that a phrase stands in, if its line has any."""
    cells = split_cells(statement.text, statement.heads)
    return next((cell for cell in cells if cell.start <= candidate.start < cell.end), None)


def _fills(candidate: Candidate, cell: Cell, text: str) -> bool:
    return candidate.start == cell.start and not text[candidate.end : cell.end].strip(" .,;")
