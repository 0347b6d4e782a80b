"""An answer chosen from the text: of the phrases of a few statements the one that a state makes likeliest.

The statements are those which share the most telling words with the question, and a phrase is scored under the state
of the section that its statement was written in. Each goes through the model as an answer behind the question, with
the token that ends an answer, and never as context: no phrase sees another. How likely it is and how it stands in its
sentence make its score (weighing.py). Knows nothing about how a free answer was made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from dmdoc.answer.ask import Answer
from dmdoc.answer.evidence import Passage
from dmdoc.answer.phrases import Found, candidates, likely_to_begin
from dmdoc.answer.pointing import point_at
from dmdoc.answer.quoting import NOTHING, Missing, Quoted, quote
from dmdoc.answer.statements import Statement, likely_statements, statements
from dmdoc.answer.weighing import Asked, Measures, weigh
from dmdoc.answer.written import Written
from dmdoc.memory.state import MemoryState
from dmdoc.model.continuations import hear_continuations
from dmdoc.model.reader import Reader
from dmdoc.text.asked import form_asked
from dmdoc.text.candidates import Candidate, find_candidates
from dmdoc.text.chunking import Chunk

CANDIDATES = 40
"""The most phrases that the model reads."""


SHOWN = 5.0
"""How many times a likelihood counts that comes from passages in the prompt: of 1 to 8 the best for 356 questions about
training documents."""


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
    told: float = 1.0
    """How many times its likelihood counts: SHOWN where the model had passages in its prompt."""

    @property
    def log_likelihood(self) -> float:
        """Of its tokens and the end of the answer under the state, in nats a token."""
        return self.measures.likelihood

    @property
    def score(self) -> float:
        """How well it answers, all in all."""
        return weigh(self.measures, self.told)

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
    """What the model said itself, under the state; with passages in its prompt, what it began to say."""
    document_tokens: int
    """Tokens of the document in all candidates, each of which the model read as an answer, none as context."""
    read: tuple[Span, ...] = ()
    """All phrases that the model read."""
    quoted: Quoted = NOTHING
    """The sentences that are the answer, where it is no phrase (quoting.py); then there was no candidate."""
    missing: Missing = ""
    """What was asked for and is not in the answer."""

    @property
    def candidates(self) -> int:
        """How many phrases it was chosen from."""
        return len(self.read)

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the answer stands; nowhere, if it is the free one."""
        if self.span is not None:
            return (Place(self.span.statement.page, self.span.start, self.span.end),)
        return tuple(
            Place(each.page, each.start + start, each.start + end)
            for each in self.quoted.sentences
            for start, end in [self.quoted.cell or (0, len(each.text))]
        )


@dataclass(frozen=True)
class Search:
    """A question, and the statements of a document in which its answer is sought."""

    question: str
    written: Sequence[Statement]
    """All of the document."""
    best: Sequence[Statement]
    """Those that share the most telling words with the question, the best first."""
    chunks: Sequence[Chunk] = ()
    """All of the document, as they were written."""

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

    def read(
        self,
        prompt_ids: Sequence[int],
        section: int,
        state: MemoryState,
        reader: Reader,
        *,
        shown: bool = False,
    ) -> "PhrasesRead":
        """Let the model read the phrases that may answer; none where whole sentences do.

        Args:
            prompt_ids: what the model is given.
            section: the row of the document's state that was chosen among those of `asked`.
            state: of the document, a section a row.
            shown: the prompt has passages of the text. Then each phrase is read under the state of the best statement's
                section, since a long prompt is not worth reading once for each section, and its likelihood counts more.
        """
        form = form_asked(self.question)
        if form != "count" and (quoted := self._quoted()).sentences:
            return PhrasesRead(quoted.sentences[0].section, quoted=quoted)
        section = self.best[0].section if self.best else section
        found = self.phrases(section)
        if not shown:  # what it adds behind passages is not measured yet
            found = point_at(found, self.question, self.chunks, state, reader)
        if len(found) > CANDIDATES and not shown:  # a look at a long prompt costs as much as reading it
            found = likely_to_begin(found, prompt_ids, state, reader)
        found = found[:CANDIDATES]
        said = any(each.measures.kind == each.measures.noun == 1 for each in found)
        if form == "count" and not said and (quoted := self._quoted()).sentences:
            return PhrasesRead(quoted.sentences[0].section, quoted=quoted)
        ids = [reader.encode(each.candidate.text) for each in found]
        spans: list[Span] = []
        own: tuple[int, ...] = ()
        owners = [section if shown else each.statement.section for each in found]
        for number in dict.fromkeys(owners):
            rows = [row for row, owner in enumerate(owners) if owner == number]
            answers = [[*ids[row], *reader.end_ids[:1]] for row in rows]
            heard = hear_continuations(prompt_ids, answers, state.rows(number, number + 1), reader)
            own = heard.own if number == section else own
            for row, likely in zip(rows, heard.log_likelihoods.tolist(), strict=True):
                statement, candidate, measures = found[row]
                spans.append(
                    Span(candidate, statement, measures._replace(likelihood=likely), SHOWN if shown else 1.0)
                )
        if shown and spans:  # what it would say after that is not worth reading a long prompt again
            own = (*own, *reader.end_ids[:1])
        return PhrasesRead(section, tuple(spans), sum(map(len, ids)), own, counts=form == "count")

    def phrases(self, section: int) -> list[Found]:
        """Those of the best statements, or of a section's where there is none, each once, the best first."""
        read = self.best or [each for each in self.written if each.section == section]
        read = [each for each in read if not each.names] or read  # a heading says nothing of what it names
        title = self.written[0].text if self.written[0].names else ""
        return candidates(read, Asked(self.question, read, title), self.question)

    def _quoted(self) -> Quoted:
        return quote(form_asked(self.question), self.question, self.written)


@dataclass(frozen=True)
class PhrasesRead:
    """What could answer a question, once the model has read it."""

    section: int
    """The one that answers if the free answer stands, or the first sentence's."""
    spans: tuple[Span, ...] = ()
    document_tokens: int = 0
    """Of all phrases."""
    own: tuple[int, ...] = ()
    """Tokens that the model's own answer, drawn greedily, begins with, as far as reading the phrases has shown it."""
    quoted: Quoted = NOTHING
    counts: bool = False
    """A number is asked for."""

    def choose(self, free: Answer, reader: Reader) -> tuple[Answer, Choice]:
        """The sentences, or else the best phrase, in a free answer's place; that answer where there is neither."""
        if self.quoted.sentences:
            text = self.quoted.text
            chosen = replace(free, text=text, answer_ids=tuple(reader.encode(text)), section=self.section)
            return chosen, Choice(None, free.text, 0, quoted=self.quoted, missing=self.quoted.missing)
        if not self.spans:
            missing: Missing = "number" if self.counts else ""
            return replace(free, section=self.section), Choice(None, free.text, 0, missing=missing)
        best = max(self.spans, key=lambda span: span.score)
        chosen = replace(
            free,
            text=best.text,
            answer_ids=tuple(reader.encode(best.text)),
            section=best.statement.section,
        )
        missing = "number" if self.counts and best.measures.kind < 1 else ""
        return chosen, Choice(best, free.text, self.document_tokens, self.spans, missing=missing)


def search_statements(question: str, written: Written) -> Search:
    """Find where a document speaks of what is asked, in its words or behind a label that answers such questions."""
    found = likely_statements(question, written.statements)
    return Search(question, written.statements, found, written.chunks)


def find_phrases(question: str, pages: Sequence[str]) -> list[Found]:
    """What could answer a question about a text in one section, the best first, before the state is asked."""
    written = Written(statements(pages, [0]), ())
    return search_statements(question, written).phrases(0) if written.statements else []
