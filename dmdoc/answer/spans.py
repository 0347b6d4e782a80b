"""An answer chosen from the text: of the phrases of a few statements the one that a state makes likeliest.

The statements are those which share the most telling words with the question, and a phrase is scored under the state
of the section that its statement was written in. Each goes through the model as an answer behind the question, with
the token that ends an answer, and never as context: no phrase sees another. How likely it is and how it stands in its
sentence make its score (weighing.py). Knows nothing about how a free answer was made.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from dmdoc.answer.ask import Answer
from dmdoc.answer.evidence import Passage
from dmdoc.answer.quoting import quote
from dmdoc.answer.statements import BETWEEN_PAGES, Statement, rank, statements
from dmdoc.answer.weighing import Asked, Measures, weigh
from dmdoc.memory.state import MemoryState
from dmdoc.model.continuations import log_likelihoods_behind
from dmdoc.model.reader import Reader
from dmdoc.text.asked import form_asked
from dmdoc.text.candidates import Candidate, find_candidates

STATEMENTS = 6
"""How many statements give candidates."""

CANDIDATES = 64
"""The most phrases that the model reads: those with the best scores before the state is asked."""


class _Found(NamedTuple):
    """A phrase before the model has read it."""

    statement: Statement
    candidate: Candidate
    measures: Measures
    """With a likelihood of 0."""


class Place(NamedTuple):
    """Where a piece of text stands: its page, counted from 1, and from and to, in characters of its page."""

    page: int
    start: int
    end: int


@dataclass(frozen=True)
class Span:
    """A phrase of the text, and how well it answers."""

    candidate: Candidate
    """Its words, and where they stand in the statement."""
    statement: Statement
    """The sentence or line that it stands in."""
    measures: Measures
    """What is known of it, by which it is weighed (weighing.py)."""

    @property
    def log_likelihood(self) -> float:
        """Of its tokens and the end of the answer under the state, in nats a token."""
        return self.measures.likelihood

    @property
    def score(self) -> float:
        """How well it answers, all in all."""
        return weigh(self.measures)

    @property
    def text(self) -> str:
        return self.candidate.text

    @property
    def start(self) -> int:
        """In the text of its page, in characters."""
        return self.statement.start + self.candidate.start

    @property
    def end(self) -> int:
        return self.statement.start + self.candidate.end

    @property
    def passage(self) -> Passage:
        """The statement, with the phrase marked in it."""
        mark = self.candidate.start, self.candidate.end
        return Passage(self.statement.page, self.statement.text, verbatim=True, mark=mark)


@dataclass(frozen=True)
class Choice:
    """What an answer was chosen from."""

    span: Span | None
    """The best one; None where there was no candidate, and the free answer stands."""
    free: str
    """What the model said itself, under the state."""
    document_tokens: int
    """Tokens of the document in all candidates, each of which the model read as an answer, none as context."""
    read: tuple[Span, ...] = ()
    """All phrases that the model read."""
    quoted: tuple[Statement, ...] = ()
    """The sentences that are the answer, where it is no phrase (quoting.py); then there was no candidate."""

    @property
    def candidates(self) -> int:
        """How many phrases it was chosen from."""
        return len(self.read)

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the answer stands; nowhere, if it is the free one."""
        if self.span is not None:
            return (Place(self.span.statement.page, self.span.start, self.span.end),)
        return tuple(Place(each.page, each.start, each.start + len(each.text)) for each in self.quoted)


@dataclass(frozen=True)
class Search:
    """A question, and the statements of a document in which its answer is sought."""

    question: str
    written: Sequence[Statement]
    """All of the document."""
    best: Sequence[Statement]
    """Those that share the most telling words with the question, the best first."""

    @property
    def first_phrase(self) -> str:
        """What there is to answer without a model: the first phrase of the statement that ranks first."""
        first = next(iter(self.best or self.written), None)
        found = find_candidates(first.text, self.question) if first is not None else []
        return found[0].text if found else ""

    def asked(self, state: MemoryState) -> MemoryState:
        """The rows of a document's state that the free answer comes from: all of them where no word is shared."""
        if not self.best:
            return state
        section = self.best[0].section
        return state.rows(section, section + 1)

    def choose(self, free: Answer, state: MemoryState, reader: Reader) -> tuple[Answer, Choice]:
        """The best phrase in a free answer's place; that answer where there is no phrase.

        Args:
            free: the model's own answer, from the rows of `asked`.
            state: of the document, a section a row.
        """
        started = time.monotonic()
        if (form := form_asked(self.question)) != "phrase" and (
            quoted := quote(form, self.question, self.written)
        ):
            chosen = _instead(
                free, "\n".join(each.text for each in quoted), quoted[0].section, started, reader
            )
            return chosen, Choice(None, free.text, 0, quoted=quoted)
        free = replace(free, section=self.best[0].section if self.best else free.section)
        read = self.best or [each for each in self.written if each.section == free.section]
        title = self.written[0].text if self.written[0].names else ""
        found = _candidates(read, Asked(self.question, read, title), self.question)
        if not found:
            return free, Choice(None, free.text, 0)
        ids = [reader.encode(each.candidate.text) for each in found]
        spans = tuple(_scored(found, ids, free, state, reader))
        best = max(spans, key=lambda span: span.score)
        answer = _instead(free, best.text, best.statement.section, started, reader)
        return answer, Choice(best, free.text, sum(map(len, ids)), spans)


def _instead(free: Answer, text: str, section: int, started: float, reader: Reader) -> Answer:
    """An answer in the free one's place, which took what has passed since then longer."""
    seconds = free.seconds + time.monotonic() - started
    return replace(
        free,
        text=text,
        answer_ids=tuple(reader.encode(text)),
        section=section,
        first_token_seconds=seconds,
        seconds=seconds,
    )


def written_statements(
    pages: Sequence[str], state: MemoryState, reader: Reader, budget: int | None = None
) -> list[Statement]:
    """The statements of a document, each with the row of the document's state that holds it.

    Args:
        budget: the most tokens of a section, by which the document was written; the reader's own if None.
    """
    text = BETWEEN_PAGES.join(page for page in pages if page)
    return statements(pages, [chunk.start for chunk in reader.chunks(text, budget)][: state.batch])


def search_statements(question: str, written: Sequence[Statement]) -> Search:
    """Find where a document speaks of what is asked."""
    return Search(question, written, rank(written, question, STATEMENTS))


def _scored(
    found: Sequence[_Found], ids: Sequence[Sequence[int]], free: Answer, state: MemoryState, reader: Reader
) -> Iterator[Span]:
    """The candidates with their tokens, those of a section together."""
    for section in dict.fromkeys(each.statement.section for each in found):
        own = [row for row, each in enumerate(found) if each.statement.section == section]
        answers = [[*ids[row], *reader.end_ids[:1]] for row in own]
        said = log_likelihoods_behind(free.prompt_ids, answers, state.rows(section, section + 1), reader)
        for row, likely in zip(own, said.tolist(), strict=True):
            statement, candidate, measures = found[row]
            yield Span(candidate, statement, measures._replace(likelihood=likely))


def _candidates(read: Sequence[Statement], asked: Asked, question: str) -> list[_Found]:
    """The phrases of statements, each once, in order, and of many those that may win."""
    found: dict[str, _Found] = {}
    for statement in read:
        for candidate in find_candidates(statement.text, question):
            if candidate.text not in found:
                found[candidate.text] = _Found(statement, candidate, asked.measure(candidate, statement, 0.0))
    return sorted(found.values(), key=lambda each: -weigh(each.measures))[:CANDIDATES]
