"""Ask every question of every document in every mode, a document and a mode at a time; what is done is not redone."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch

from dmdoc.answer.ask import Answer
from dmdoc.answer.judging import judge
from dmdoc.answer.recall import EVIDENCE_TOKENS, Inquiry, Recalled, recall, recall_all
from dmdoc.answer.spans import search_statements
from dmdoc.answer.support import log_likelihoods
from dmdoc.answer.written import as_written
from dmdoc.compare.cases import Cases
from dmdoc.compare.results import MODES, Mode, Result, Skipped
from dmdoc.compare.results_file import ResultsFile
from dmdoc.compare.scoring import exact_match, gives_later, word_f1
from dmdoc.datasets import Question, QuestionedDocument, deal
from dmdoc.errors import UsageError
from dmdoc.memory.rounding import kept_bytes
from dmdoc.memory.state import MemoryState
from dmdoc.model.prompt import RecallMode, load_prompt
from dmdoc.model.reader import Reader
from dmdoc.progress import Counted, Report
from dmdoc.settings.generation import GenerationSettings
from dmdoc.text.words import contains

TIMED = 24
"""Questions asked one at a time, as `ask` does: their times are what a user waits. They are spread over documents."""

MOST_TOGETHER = 16
"""The most questions in one pass."""

PASS_TOKENS = 4096
"""The most prompt tokens in one pass, unless a single prompt has more."""

PROMPT_TOKENS = 64
"""Tokens of a prompt beside those of the document, about."""

Item = TypeVar("Item")

JUDGED: tuple[Mode, ...] = ("state", "spans", "evidence")
"""The modes whose answers `ask` judges: the others are controls, or have seen all of the text."""

RECALL_MODES: dict[Mode, RecallMode] = {
    "state": "state",
    "zero": "state",
    "donor": "state",
    "swap": "state",
    "frozen": "frozen",
    "full": "full",
    "evidence": "evidence",
    "spans": "spans",
    "unread": "spans",
}
"""How `ask` answers in each mode; they differ in the state as well. `first` needs no model."""


def compare(
    cases: Cases,
    reader: Reader,
    *,
    settings: GenerationSettings,
    modes: Sequence[Mode] = MODES,
    file: ResultsFile | None = None,
    progress: Report | None = None,
) -> tuple[list[Result], list[Skipped]]:
    """Answer every question in every mode; a document that does not fit the context in a mode is skipped there.

    Questions about a document go through the model together, but for the first TIMED of the run in each mode.

    Args:
        file: what is in it is taken from it; all else is added to it as soon as it is done.
        progress: hears of the answers given.

    Raises:
        UsageError: nothing fits, in any mode.
    """
    total = len(modes) * sum(len(document.questions) for document in cases.documents)
    results: list[Result] = []
    skipped: list[Skipped] = []
    done = 0
    timed = deal([len(document.questions) for document in cases.documents], TIMED, at_once=1)
    for number, document in enumerate(cases.documents):
        for mode in modes:
            outcome = file.get(document.name, mode) if file is not None else None
            if outcome is None:
                try:
                    outcome = _turn(number, mode, cases, reader, settings).results(timed[number])
                except UsageError as error:
                    outcome = Skipped(document.name, mode, str(error))
                if file is not None:
                    file.add(document.name, mode, outcome)
            if isinstance(outcome, Skipped):
                skipped.append(outcome)
            else:
                results += outcome
            done += len(document.questions)
            if progress is not None:
                progress(Counted(done, total, "answers"))
    if skipped and not results:
        raise UsageError(skipped[0].reason)
    return results, skipped


@dataclass(frozen=True)
class _Turn:
    """A document whose questions are asked in one mode."""

    document: QuestionedDocument
    tokens: int
    """Of the document."""
    mode: Mode
    state: MemoryState
    """What is read, a section a row; frozen and full read none."""
    reader: Reader
    settings: GenerationSettings

    def results(self, timed: int) -> list[Result]:
        """All questions, the first `timed` one at a time.

        Raises:
            UsageError: a prompt does not fit the context.
        """
        alone, together = self.document.questions[:timed], self.document.questions[timed:]
        recalled = [self._recall(asked) for asked in alone]
        for questions in self._groups(together):
            recalled += self._recall_all(questions)
        pairs = list(zip(self.document.questions, recalled, strict=True))
        likelihoods = [value for group in self._groups(pairs) for value in self._likelihoods(group)]
        return [
            self._result(asked, found, likelihood, timed=number < timed)
            for number, ((asked, found), likelihood) in enumerate(zip(pairs, likelihoods, strict=True))
        ]

    def _recall(self, asked: Question) -> Recalled:
        if self.mode == "first":
            return self._first_phrase(asked.question)
        recall_mode, pages = RECALL_MODES[self.mode], self.document.sections
        return recall(
            asked.question, self.reader, self.state, lambda: pages, settings=self.settings, mode=recall_mode
        )

    def _recall_all(self, asked: Sequence[Question]) -> list[Recalled]:
        if self.mode == "first":
            return [self._recall(question) for question in asked]
        recall_mode, pages = RECALL_MODES[self.mode], self.document.sections
        text = partial(tuple[str, ...], pages)
        inquiries = [Inquiry(question.question, self.state, text) for question in asked]
        return recall_all(inquiries, self.reader, settings=self.settings, mode=recall_mode)

    def _first_phrase(self, question: str) -> Recalled:
        """No model answers; the prompt is what the likelihood of the right answer is measured behind."""
        started = time.monotonic()
        pages = self.document.sections
        written = as_written(pages, self.state, self.reader)
        text = search_statements(question, written).first_phrase
        seconds = time.monotonic() - started
        prompt_ids = self.reader.prompt_ids(load_prompt("answer").fill(question=question))
        answer = Answer(text, tuple(prompt_ids), (), None, seconds, seconds)
        return Recalled(answer, "frozen", None, (), 0)

    def _groups(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """As many at a time as go into one pass."""
        shown = {"full": self.tokens, "evidence": min(self.tokens, EVIDENCE_TOKENS)}.get(self.mode, 0)
        size = max(1, min(MOST_TOGETHER, PASS_TOKENS // (shown + PROMPT_TOKENS)))
        for start in range(0, len(items), size):
            yield items[start : start + size]

    def _likelihoods(self, pairs: Sequence[tuple[Question, Recalled]]) -> list[float]:
        """Log-likelihoods of the first right answers, in nats a token."""
        answers = [found.answer for _, found in pairs]
        golds = [self.reader.encode(asked.answers[0]) for asked, _ in pairs]
        sections = [answer.section for answer in answers if answer.section is not None]
        read = self.state.select(torch.tensor(sections, device=self.state.device)) if sections else None
        speaker = self.reader.speaker(pairs[0][1].mode)
        found: list[float] = log_likelihoods(
            [answer.prompt_ids for answer in answers], golds, read, speaker
        ).tolist()
        return found

    def _result(self, asked: Question, recalled: Recalled, likelihood: float, *, timed: bool) -> Result:
        answer = recalled.answer
        return Result(
            document=self.document.name,
            mode=self.mode,
            question=asked.question,
            answers=asked.answers,
            given=answer.text,
            position=self.document.position(asked),
            exact=any(exact_match(answer.text, right) for right in asked.answers),
            contains=any(contains(answer.text, right) for right in asked.answers),
            later=gives_later(answer.text, asked.answers, asked.superseded),
            f1=max(word_f1(answer.text, right) for right in asked.answers),
            log_likelihood=likelihood,
            lift=recalled.lift,
            prompt_tokens=answer.prompt_tokens,
            prompt_document_tokens=recalled.document_tokens,
            document_tokens=self.tokens,
            first_token_seconds=answer.first_token_seconds if timed else None,
            seconds=answer.seconds if timed else None,
            kept_bytes=self._kept_bytes(),
            probability=self._probability(asked, recalled),
        )

    def _probability(self, asked: Question, recalled: Recalled) -> float | None:
        sentences = recalled.choice is not None and recalled.choice.quoted.sentences
        if self.mode not in JUDGED or sentences:  # of sentences it is not how likely they are right
            return None
        pages = self.document.sections
        judgement = judge(asked.question, recalled, self.state, lambda: pages, self.reader)
        return None if judgement is None else round(judgement.probability, 4)

    def _kept_bytes(self) -> int:
        """An empty state need not be kept."""
        if self.mode == "full":
            return self.reader.backbone.cache_bytes(self.tokens)
        if self.mode in ("zero", "frozen"):
            return 0
        text = len(self.document.text.encode())
        if self.mode in ("unread", "first"):
            return text
        state = kept_bytes(self.state)
        return state + (text if self.mode in ("spans", "evidence") else 0)


def _turn(number: int, mode: Mode, cases: Cases, reader: Reader, settings: GenerationSettings) -> _Turn:
    document = cases.documents[number]
    if mode == "swap":
        document, state = cases.swapped(number)
    tokens = reader.encode(document.text)
    if mode in ("state", "spans", "evidence"):
        state = cases.state(number)
    elif mode == "donor":
        state = cases.donor(number)
    elif mode != "swap":
        state = reader.zero_state()
    return _Turn(document, len(tokens), mode, state, reader, settings)
