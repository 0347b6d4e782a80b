"""The one thread that has the model: it takes the questions that wait and answers them together.

Whoever asks waits for a future, and may hear the answer as it grows. Knows nothing about HTTP.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from dmdoc.answer.evidence import Passage
from dmdoc.answer.finding import Finding, find_document
from dmdoc.answer.judging import judge
from dmdoc.answer.recall import Inquiry, Recalled, cite, recall, recall_all
from dmdoc.errors import DmdocError, UsageError
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.judges import Judgement
from dmdoc.model.prompt import RecallMode
from dmdoc.model.reader import Reader
from dmdoc.serve.states import StateCache
from dmdoc.settings.generation import EVIDENCE_PASSAGES, GenerationSettings

TOGETHER = 32
"""Questions that are answered at once."""

QUESTION_CHARACTERS = 8_000
"""Of the longest question."""

STATE_BYTES = 256 * 2**20
"""Of states that are kept in memory."""


@dataclass(frozen=True)
class Question:
    """What is asked of a document, and how it is answered."""

    text: str
    document: str | None = None
    """A saved document's name; if None, the one that the question is about is found."""
    tag: str | None = None
    """Only documents with this tag are looked at."""
    settings: GenerationSettings = field(default_factory=GenerationSettings)
    mode: RecallMode = "spans"
    passages: int = EVIDENCE_PASSAGES
    """Most passages in the prompt of `evidence`."""
    citations: bool = True

    @property
    def alone(self) -> bool:
        """Whether it is answered by itself: a draw depends on what stands beside it, and text makes prompts long."""
        return self.mode in ("evidence", "full") or self.settings.temperature > 0


@dataclass(frozen=True)
class Answered:
    """An answer with all that may be said of it."""

    question: Question
    recalled: Recalled
    found: Sequence[Passage]
    """Where the text speaks of it."""
    finding: Finding
    """The document, and how it was found."""
    reader: Reader
    judgement: Judgement | None
    """How far to trust it."""


class Busy(DmdocError):
    """As many questions wait as may."""


class Abandoned(Exception):
    """Nobody waits for this answer any more."""


@dataclass
class Asked:
    """A question that waits, and who waits for it."""

    question: Question
    on_text: Callable[[str], None] | None = None
    """Hears the answer as it grows, in the thread of the engine; in one piece, if others are answered beside it."""
    answer: "Future[Answered]" = field(default_factory=Future)
    abandoned: bool = False

    def hear(self, text: str) -> None:
        if self.abandoned:
            raise Abandoned
        if self.on_text is not None:
            self.on_text(text)


@dataclass(frozen=True)
class _Ready:
    """A question whose document is open."""

    asked: Asked
    finding: Finding
    reader: Reader
    inquiry: Inquiry


class Engine:
    """Answers questions; `start` it, and `close` it when nobody asks any more."""

    def __init__(
        self,
        library: Library,
        open_reader: Callable[[SavedDocument | None], Reader],
        *,
        most_waiting: int = 64,
        state_bytes: int = STATE_BYTES,
    ) -> None:
        """
        Args:
            open_reader: the reader that wrote a document, or the one to begin with; each is loaded once.
            most_waiting: questions that may wait; one more is refused.
        """
        self.library = library
        self.states = StateCache(state_bytes)
        self.loaded: Future[Reader] = Future()
        """Done as soon as questions are answered, or failed where they never will be."""
        self._open_reader = open_reader
        self._most_waiting = most_waiting
        self._waiting: queue.SimpleQueue[Asked | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Answer what waits, then end."""
        self._waiting.put(None)
        self._thread.join()

    @property
    def waiting(self) -> int:
        return self._waiting.qsize()

    def ask(self, question: Question, on_text: Callable[[str], None] | None = None) -> Asked:
        """Queue a question.

        Raises:
            Busy: too many wait.
            UsageError: it is too long: all others would wait for it.
        """
        if len(question.text) > QUESTION_CHARACTERS:
            raise UsageError(f"a question has at most {QUESTION_CHARACTERS:,} characters")
        if self.waiting >= self._most_waiting:
            raise Busy(f"{self.waiting} questions wait, and no more may; ask again in a moment")
        asked = Asked(question, on_text)
        self._waiting.put(asked)
        return asked

    def _run(self) -> None:
        try:
            self.loaded.set_result(self._open_reader(None))
        except Exception as error:
            self.loaded.set_exception(error)
            return
        going_on = True
        while going_on:
            taken = [self._waiting.get()]
            while len(taken) < TOGETHER and not self._waiting.empty():
                taken.append(self._waiting.get())
            going_on = None not in taken
            ready = [found for asked in taken if asked is not None and (found := self._opened(asked))]
            for group in _groups(ready):
                self._answer(group)

    def _opened(self, asked: Asked) -> _Ready | None:
        """The document of a question; None where the question ends here."""
        if asked.abandoned:
            return None
        question = asked.question
        try:
            finding = self._found(question)
            saved = finding.document
            reader = self._open_reader(saved)
            state, budget = self.states.get(saved, reader), saved.header().write_budget
            return _Ready(asked, finding, reader, Inquiry(question.text, state, saved.pages, budget))
        except Exception as error:  # whatever it is, it is this question's alone
            asked.answer.set_exception(error)
            return None

    def _found(self, question: Question) -> Finding:
        if question.document is not None:
            return Finding(self.library.get(question.document), "given", 1)
        names = None
        if question.tag is not None:
            names = [each.name for each in self.library.documents() if question.tag in each.tags]
        return find_document(question.text, self.library, names, self._open_reader)

    def _answer(self, group: Sequence[_Ready]) -> None:
        """Questions that are answered in one mode; if that fails, one by one."""
        try:
            found = self._recalled(group)
            for each, recalled in zip(group, found, strict=True):
                each.asked.answer.set_result(_answered(each, recalled))
        except Abandoned:
            return
        except Exception as error:
            if len(group) == 1:
                if not group[0].asked.answer.done():
                    group[0].asked.answer.set_exception(error)
                return
            for each in group:
                if not each.asked.answer.done():
                    self._answer([each])

    def _recalled(self, group: Sequence[_Ready]) -> list[Recalled]:
        first = group[0]
        question, inquiry = first.asked.question, first.inquiry
        if len(group) == 1:
            return [
                recall(
                    inquiry.question,
                    first.reader,
                    inquiry.state,
                    inquiry.pages,
                    settings=question.settings,
                    mode=question.mode,
                    most=question.passages,
                    budget=inquiry.budget,
                    on_text=first.asked.hear,
                )
            ]
        found = recall_all(
            [each.inquiry for each in group],
            first.reader,
            settings=question.settings,
            mode=question.mode,
            most=question.passages,
        )
        for each, recalled in zip(group, found, strict=True):
            if each.asked.on_text is not None:
                each.asked.on_text(recalled.answer.text)
        return found


def _groups(ready: Sequence[_Ready]) -> list[list[_Ready]]:
    """What can be answered in one pass, in the order in which it was asked."""

    def kind(each: _Ready) -> tuple[Any, ...]:
        question = each.asked.question
        apart = id(each) if question.alone else None
        return id(each.reader), question.settings, question.mode, question.passages, apart

    order = {key: number for number, key in reversed(list(enumerate(map(kind, ready))))}
    together = sorted(ready, key=lambda each: order[kind(each)])
    return [list(group) for _, group in groupby(together, kind)]


def _answered(each: _Ready, recalled: Recalled) -> Answered:
    question, pages = each.asked.question, each.inquiry.pages
    found = cite(question.text, recalled, pages) if question.citations else recalled.evidence
    judgement = judge(
        question.text, recalled, each.inquiry.state, pages, each.reader, each.finding.document.name
    )
    return Answered(question, recalled, found, each.finding, each.reader, judgement)
