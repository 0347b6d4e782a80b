"""How well a phrase of a text answers a question: what the state says of it, and how it stands in its sentence.

Knows nothing about models; likelihoods come in as numbers.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from math import log
from typing import NamedTuple

from dmdoc.answer.links import Links
from dmdoc.answer.statements import Statement
from dmdoc.text.asked import fits_kind, kind_asked
from dmdoc.text.candidates import Candidate
from dmdoc.text.cells import Cell, enumerated, split_cells
from dmdoc.text.labels import fits_label
from dmdoc.text.opposites import contradicts, outdated
from dmdoc.text.words import FUNCTION_WORDS, akin, alike, names, split_pieces, split_words, telling_words

FAR = 10
"""Words; what stands farther away counts as so far."""

MARKS = {",": 1, ")": 3} | dict.fromkeys([";", "|", "\n", "but", "whereas", "while", "however", "unlike"], 4)
"""How many words a mark, or a word of contrast, counts between a phrase and a word: it ends what belongs together."""

NAMED = 2.0
"""What a name or a number of the question counts beside another of its words."""

TITLED = 0.5
"""What a word counts that the title of the document has: all of it may be about that."""

NO_ANSWER = 3.75
"""What it weighs that the text does not answer a question: where it leaves one open, all of its phrases are trained to
weigh less than that together. Of 2,711 questions about training documents, 1,445 of them left open, the best."""

_NOUN = re.compile(r"\b(?:which|what) ((?:\w+ )?\w+)", re.IGNORECASE)
_BESIDE = re.compile(
    r"\b(?:how many|who (?:is|was|are|were) (?:the|our|its|their)) ((?:\w+ )?\w+)", re.IGNORECASE
)
_STOPS = ",;|\n)"
_CLAUSES = re.compile(
    "|".join(
        rf"\b{mark}\b" if mark.isalpha() else re.escape(mark) for mark, words in MARKS.items() if words == 4
    ),
    re.IGNORECASE,
)


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
    table a cell says what its row says, its heading and its value, but no other heading."""
    label: float
    """How far it stands behind a label or a heading that the question names or asks for (text/labels.py), from 0 to 1;
    half of that where it is one of several names behind it."""
    opposed: float
    """1 where its words speak of the opposite of what is asked, or of what was and no longer is (text/opposites.py)."""
    clause: float
    """The share of the question's words that its clause has, or what stands around its statement; counted likewise. One
    statement may speak of two things: "Vera was built in 1911, but Rune in 1931". Of a table it is what `covers` is."""
    linked: float
    """How much more of them another statement has that speaks of what its own speaks of (links.py), but for what the
    question names; counted likewise."""
    is_label: float
    """1 where it is what a value stands behind: a label, or a part of one."""
    pointed: float = 0.0
    """How likely the pointer is to point at it (pointing.py), in nats above what is usual; 0 where nothing points."""


WEIGHTS = Measures(
    likelihood=1.0,
    rank=3.02,
    words=-1.26,
    distance=-1.99,
    kind=3.38,
    whole=-0.27,
    echo=-4.26,
    noun=2.83,
    covers=5.42,
    label=5.91,
    opposed=-3.08,
    clause=0.5,
    linked=5.75,
    is_label=-1.79,
    pointed=0.4,
)
"""In the proportions that make the right phrases of training data likeliest among all (compare/phrase_weights.py)."""


class Asked:
    """A question as its phrases are weighed for it.

    Args:
        read: the statements that give the phrases.
        title: of their document.
    """

    def __init__(self, question: str, read: Sequence[Statement], title: str = "") -> None:
        self._question = question
        self._kind = kind_asked(question)
        self._words = telling_words(question)
        self._nouns = telling_words(" ".join(_NOUN.findall(question)))
        self._beside = telling_words(" ".join(_BESIDE.findall(question)))
        has = {
            (each.page, each.start): self._shared(
                split_words(" ".join((each.text, each.around, *each.heads)))
            )
            for each in read
        }
        there = list(has.values())
        worth = dict.fromkeys(names(question), NAMED)
        worth |= dict.fromkeys(self._shared(split_words(title)), TITLED)
        self._counts = {
            word: log(1 + len(there) / number) * worth.get(word, 1.0)
            for word in self._words
            if (number := sum(word in own for own in there))
        }
        self._covered: dict[str, float] = {}
        links = Links(read)
        self._linked = {
            (each.page, each.start): [
                (name, self._share(has[other.page, other.start] - has[each.page, each.start]))
                for name, other in links.of(each)
                if not self._asks(name)
            ]
            for each in read
        }
        """For the place of each statement, the names that link it to others, and what each of these adds."""

    def measure(self, candidate: Candidate, statement: Statement, likelihood: float) -> Measures:
        """What is known of a phrase in one of the statements that were read."""
        cells, own = split_cells(statement.text, statement.heads), split_words(candidate.text)
        cell = next((cell for cell in cells if cell.start <= candidate.start < cell.end), None)
        before, after = statement.text[: candidate.start], statement.text[candidate.end :]
        past = outdated(self._question, before, after)
        if cell is not None:
            others = (statement.text[each.start : each.end] for each in cells if each is not cell)
            # Of its row what is asked about stands nearest: a code, or another value, may come before it.
            row = sorted(others, key=lambda text: self._count(self._shared(split_words(text))))
            before = f"{' '.join(row)} {cell.name} {statement.text[cell.start : candidate.start]}"
            after = statement.text[candidate.end : cell.end]
        said = f"{before} {candidate.text} {after} {statement.around}"
        covers = self._covers(said)
        whole = cell is not None and _fills(candidate, cell, statement.text)
        items = 1 if cell is None else enumerated(statement.text[cell.start : cell.end].rstrip(" .,;"))
        name = statement.label if cell is None else cell.name
        fits = fits_label(self._question, name)
        label = max(fits, self._named(name))
        inside = len(split_words(statement.text[0 if cell is None else cell.start : candidate.start]))
        return Measures(
            likelihood=likelihood,
            rank=statement.rank,
            words=len(candidate.text.split()) / (items if whole else 1),
            distance=min(self._distance(before, after), 1 - fits + fits * min(FAR, inside) / FAR),
            kind=fits_kind(candidate.text, self._kind, statement.text[: candidate.start]),
            whole=float(whole),
            echo=sum(map(self._asks, own)) / max(1, len(own)),
            noun=float(self._has_noun(own) or self._stands_by(statement.text, candidate)),
            covers=covers,
            label=label if whole or items == 1 else label / 2,
            opposed=float(past or contradicts(self._question, said)),
            clause=covers
            if cell
            else self._covers(f"{_clause(statement.text, candidate)} {statement.around}"),
            linked=max(
                (more for name, more in self._linked[statement.page, statement.start] if name not in own),
                default=0.0,
            ),
            is_label=float(cell is None and bool(cells)),
        )

    def _named(self, label: str) -> float:
        """The share of the words of a label, or of the heading of a column, that the question names."""
        words = telling_words(label)
        return sum(map(self._asks, words)) / len(words) if words else 0.0

    def _has_noun(self, own: Sequence[str]) -> bool:
        return any(alike(word, noun) for word in own for noun in self._nouns)

    def _stands_by(self, text: str, candidate: Candidate) -> bool:
        """Whether what is asked for stands at its side: "four *bolts*", "Olsen (the *landlord*)"."""
        after = split_words(re.split(r"[.;:|\n)]", text[candidate.end :])[0])
        after = [word for word in after if word not in FUNCTION_WORDS][:1]
        return any(alike(word, noun) for word in after for noun in self._beside)

    def _covers(self, text: str) -> float:
        """The share of the question's words that a text has; many phrases share a clause."""
        if text not in self._covered:
            self._covered[text] = self._share(self._shared(split_words(text)))
        return self._covered[text]

    def _share(self, words: Iterable[str]) -> float:
        return self._count(words) / self._count(self._counts) if self._counts else 0.0

    def _asks(self, word: str) -> bool:
        return any(alike(word, own) for own in self._words)

    def _shared(self, words: Sequence[str]) -> set[str]:
        """The words of the question that stand among others, or forms of them."""
        return {own for own in self._words if any(akin(word, own) for word in words)}

    def _count(self, words: Iterable[str]) -> float:
        return sum(self._counts.get(word, 0.0) for word in words)

    def _distance(self, before: str, after: str) -> float:
        nearest: dict[str, int] = {}
        for side in (reversed(split_pieces(before, _STOPS)), split_pieces(after, _STOPS)):
            for word, steps in self._steps(side):
                nearest[word] = min(FAR, steps, nearest.get(word, FAR))
        found = sum(self._count([word]) * steps for word, steps in nearest.items())
        return found / self._count(nearest) / FAR if nearest else 1.0

    def _steps(self, side: Iterable[str]) -> Iterator[tuple[str, int]]:
        """The words of the question that stand to one side, and how far away, going from the phrase."""
        steps = 0
        for piece in side:
            steps += MARKS.get(piece, 1)
            yield from ((word, steps) for word in self._words if akin(piece, word))


def said_with(candidate: Candidate, statement: Statement) -> str:
    """What a statement says of a phrase in it, with what stands around it: of a row not the other cells' headings."""
    cells = split_cells(statement.text, statement.heads)
    own = next((cell for cell in cells if cell.start <= candidate.start < cell.end), None)
    if own is None:
        return f"{statement.text} {statement.around}"
    values = (statement.text[cell.start : cell.end] for cell in cells)
    return " ".join((own.name, *values, statement.around))


def weigh(measures: Measures, told: float = 1.0) -> float:
    """The more, the better it answers.

    Args:
        told: how many times its likelihood counts.
    """
    score = sum(weight * value for weight, value in zip(WEIGHTS, measures, strict=True))
    return score + (told - 1) * WEIGHTS.likelihood * measures.likelihood


def _clause(text: str, candidate: Candidate) -> str:
    """The part of a statement that a phrase stands in, between marks and words of contrast."""
    marks = [mark.span() for mark in _CLAUSES.finditer(text)]
    begin = max((end for _, end in marks if end <= candidate.start), default=0)
    return text[begin : min((start for start, _ in marks if start >= candidate.end), default=len(text))]


def _fills(candidate: Candidate, cell: Cell, text: str) -> bool:
    return candidate.start == cell.start and not text[candidate.end : cell.end].strip(" .,;")
