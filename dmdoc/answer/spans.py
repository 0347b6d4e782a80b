"""An answer chosen from the text: of the phrases of a few statements the one that a state makes likeliest.

The statements are those of the section that answers which share the most telling words with the question. Each of
their phrases goes through the model as an answer behind the question, with the token that ends an answer, and never
as context: no phrase sees another. Its score is the mean log-likelihood of its tokens under the state, and what it
has in common with the free answer. Knows nothing about how a section was chosen or a free answer was made.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from dmdoc.answer.ask import Answer
from dmdoc.answer.evidence import Passage
from dmdoc.answer.statements import BETWEEN_PAGES, Statement, rank, statements
from dmdoc.memory.state import MemoryState
from dmdoc.model.continuations import log_likelihoods_behind
from dmdoc.model.reader import Reader
from dmdoc.text.candidates import Candidate, find_candidates

STATEMENTS = 3
"""How many statements give candidates."""

MOST_TOKENS = 2048
"""Of all candidates together; those of statements that rank lower are left out."""

LIKENESS_NATS = 2.0
"""What it is worth to be spelt as the free answer is, beside the log-likelihood in nats a token."""


@dataclass(frozen=True)
class Span:
    """A phrase of the text, and how well it answers."""

    candidate: Candidate
    """Its words, and where they stand in the statement."""
    statement: Statement
    """The sentence or line that it stands in."""
    log_likelihood: float
    """Of its tokens and the end of the answer under the state, in nats a token."""
    score: float
    """The log-likelihood, and what likeness to the free answer adds to it."""

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
    candidates: int
    document_tokens: int
    """Tokens of the document in all candidates, each of which the model read as an answer, none as context."""


def choose(
    question: str | None,
    free: Answer,
    state: MemoryState,
    pages: Sequence[str],
    reader: Reader,
    budget: int | None = None,
) -> tuple[Answer, Choice]:
    """The best phrase of the section that gave a free answer, in that one's place; itself where there is no phrase.

    Args:
        free: an answer from one of the state's sections.
        state: of the document, a section a row; rows that the text does not have, as of a conversation, come last.
        pages: the document's text.
        budget: the most tokens of a section, by which the document was written; the reader's own if None.
    """
    started = time.monotonic()
    assert free.section is not None
    sections = reader.chunks(BETWEEN_PAGES.join(page for page in pages if page), budget)
    if free.section >= len(sections):
        return free, Choice(None, free.text, 0, 0)
    section = sections[free.section]
    written = statements(pages, section.start, section.start + len(section.text))
    own = state.rows(free.section, free.section + 1)
    choice = _best(rank(written, question or "")[:STATEMENTS], question or "", free, own, reader)
    if choice.span is None:
        return free, choice
    text, seconds = choice.span.text, free.seconds + time.monotonic() - started
    chosen = replace(
        free, text=text, answer_ids=tuple(reader.encode(text)), first_token_seconds=seconds, seconds=seconds
    )
    return chosen, choice


def _best(
    read: Sequence[Statement], question: str, free: Answer, state: MemoryState, reader: Reader
) -> Choice:
    """The best phrase of a few statements; `state` is one row."""
    found = _candidates(read, question, reader)
    if not found:
        return Choice(None, free.text, 0, 0)
    answers = [[*ids, *reader.end_ids[:1]] for _, _, ids in found]
    said = log_likelihoods_behind(free.prompt_ids, answers, state, reader).tolist()
    scores = [
        own + LIKENESS_NATS * _likeness(candidate.text, free.text)
        for own, (_, candidate, _) in zip(said, found, strict=True)
    ]
    best = max(range(len(found)), key=lambda at: scores[at])
    statement, candidate, _ = found[best]
    span = Span(candidate, statement, log_likelihood=said[best], score=scores[best])
    return Choice(span, free.text, len(found), sum(len(ids) for _, _, ids in found))


def _candidates(
    best: Sequence[Statement], question: str, reader: Reader
) -> list[tuple[Statement, Candidate, list[int]]]:
    """The phrases of statements with their tokens, each once and as many as MOST_TOKENS allows."""
    found: dict[str, tuple[Statement, Candidate, list[int]]] = {}
    left = MOST_TOKENS
    for statement in best:
        for candidate in find_candidates(statement.text, question):
            ids = reader.encode(candidate.text)
            if candidate.text not in found and len(ids) <= left:
                left -= len(ids)
                found[candidate.text] = statement, candidate, ids
    return list(found.values())


def _likeness(one: str, other: str) -> float:
    """From 0 to 1: the share of their characters that two texts have in common, in order."""
    return SequenceMatcher(None, one.lower(), other.lower(), autojunk=False).ratio()
