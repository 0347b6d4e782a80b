"""How far to trust the answers of an adapter: a judge fitted on the answers about some documents, checked on others'.

Each document is asked its own questions and such as it does not answer (foreign.py). What is kept of the check are
figures about documents that the judge has not seen. Knows nothing about where the documents come from.
"""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice

from dmdoc.answer.judging import best_verdict
from dmdoc.answer.recall import Inquiry, Recalled, recall_all
from dmdoc.answer.signals import Signals, matched, measure
from dmdoc.compare.cases import Cases
from dmdoc.compare.fitting import fit_judge
from dmdoc.compare.foreign import FOREIGN, Kind, Posed, posed
from dmdoc.compare.reliability import calibration_error
from dmdoc.datasets import QuestionedDocument
from dmdoc.errors import DmdocError
from dmdoc.memory.judges import VERDICTS, Judge, Judgement, Verdict
from dmdoc.memory.state import MemoryState
from dmdoc.model.prompt import RecallMode
from dmdoc.model.reader import Reader
from dmdoc.progress import Counted, Report
from dmdoc.settings.generation import GenerationSettings
from dmdoc.text.words import contains

TIMES = 2
"""Answers that hold (sure or likely) are to be right at least so many times as often as the others."""

TOGETHER = 16
"""Questions that are asked at once."""


@dataclass(frozen=True)
class Judged:
    """An answer from a document's state, and whether it is right."""

    document: str
    kind: Kind
    signals: Signals
    right: bool
    """A right answer stands in it; never true of a question that the document does not answer."""
    sentences: bool = False
    """It is whole sentences, or a count of them, and no phrase."""
    best: Verdict | None = None
    """The best that it can be called, whatever its signals are (answer/judging.py)."""

    def judged_by(self, judge: Judge) -> Judgement:
        found = asdict(self.signals)
        judgement = judge.judge_sentences(found) if self.sentences else judge.judge(found)
        return judgement if self.best is None else judgement.lowered(self.best, judge.likely)


@dataclass(frozen=True)
class Reply:
    """What was answered to a question, and all that a model has a part in of what it is judged by."""

    posed: Posed
    recalled: Recalled
    match: float
    """How well the state matches the question."""

    def judged(self, document: QuestionedDocument) -> Judged:
        question, choice = self.posed.question, self.recalled.choice
        return Judged(
            document.name,
            self.posed.kind,
            measure(question, self.recalled, self.match, document.sections),
            any(contains(self.recalled.answer.text, answer) for answer in self.posed.answers),
            choice is not None and bool(choice.quoted.sentences),
            best_verdict(question, choice, document.sections),
        )


@dataclass(frozen=True)
class Count:
    """Some of the answers, and those of them that are right."""

    answers: int
    right: int

    @property
    def rate(self) -> float:
        """The share that is right; 0 where there is none."""
        return self.right / self.answers if self.answers else 0.0

    def __str__(self) -> str:
        return f"{self.right} of {self.answers} right ({self.rate:.0%})"


@dataclass(frozen=True)
class Calibration:
    """A judge, and how others like it, each fitted to half of the documents, did on the other half."""

    judge: Judge
    fitted_on: int
    """Answers, all that there are."""
    documents: int
    """That they are about."""
    verdicts: dict[str, Count]
    """By the word."""
    kept: float
    """The share of the right answers that hold."""
    foreign: dict[Kind, float]
    """By the kind of foreign question: the share of answers that hold, wrongly."""
    calibration_error: float
    """Expected calibration error of the probability."""


def ask_all_kinds(
    cases: Cases,
    reader: Reader,
    mode: RecallMode,
    *,
    settings: GenerationSettings,
    seed: int = 0,
    progress: Report | None = None,
) -> list[Judged]:
    """Put its own and foreign questions to every document.

    Args:
        progress: hears of the answers given.
    """
    asked = posed(cases.documents, seed)
    total = sum(map(len, asked))
    judged: list[Judged] = []
    for number, (document, own) in enumerate(zip(cases.documents, asked, strict=True)):
        for reply in replies(document, own, cases.state(number), reader, mode, settings=settings):
            judged.append(reply.judged(document))
            if progress is not None:
                progress(Counted(len(judged), total, "answers"))
    return judged


def replies(
    document: QuestionedDocument,
    asked: Iterable[Posed],
    state: MemoryState,
    reader: Reader,
    mode: RecallMode,
    *,
    settings: GenerationSettings,
) -> Iterator[Reply]:
    """What is answered to questions about a document, TOGETHER at a time."""
    text, questions = partial(tuple[str, ...], document.sections), iter(asked)
    while group := list(islice(questions, TOGETHER)):
        inquiries = [Inquiry(each.question, state, text) for each in group]
        found = recall_all(inquiries, reader, settings=settings, mode=mode, measured=False)
        for each, recalled in zip(group, found, strict=True):
            yield Reply(each, recalled, matched(each.question, recalled, state, reader))


def calibrate(answers: Sequence[Judged], *, seed: int = 0) -> Calibration:
    """Fit a judge to all answers, and say how judges fitted to half of the documents do on the others'.

    The halves are drawn by the seed; each is judged by the judge that has seen the other alone.

    Raises:
        DmdocError: there are too few answers, or these judges fail.
    """
    documents = sorted({answer.document for answer in answers})
    random.Random(seed).shuffle(documents)
    first = set(documents[: len(documents) // 2])
    halves = [[each for each in answers if (each.document in first) is half] for half in (True, False)]
    judged = [
        (answer, answer.judged_by(judge))
        for own, other in (halves, halves[::-1])
        for judge in (_fit(other),)
        for answer in own
    ]
    return figures(_fit(answers), judged)


def _fit(answers: Sequence[Judged]) -> Judge:
    return fit_judge(
        [asdict(answer.signals) for answer in answers],
        [answer.right for answer in answers],
        [answer.kind == "own" for answer in answers],
        [answer.document for answer in answers],
        [answer.sentences for answer in answers],
        [answer.best is not None for answer in answers],
    )


def figures(judge: Judge, found: Sequence[tuple[Judged, Judgement]]) -> Calibration:
    """A judge, and how others like it did on answers that they were not fitted to.

    Raises:
        DmdocError: answers that hold are not right TIMES as often as others.
    """
    words: dict[str, Count] = {}
    for word in VERDICTS:
        own = [answer.right for answer, judgement in found if judgement.verdict == word]
        words[word] = Count(len(own), sum(own))
    holding = _count([answer for answer, judgement in found if judgement.holds])
    others = _count([answer for answer, judgement in found if not judgement.holds])
    if not holding.right or holding.rate < TIMES * others.rate:
        raise DmdocError(
            f"nothing was kept: of answers that hold {holding} on other documents, of others {others}; those that hold "
            f"are to be right {TIMES} times as often"
        )
    foreign = {
        kind: _count_holding([judgement.holds for answer, judgement in found if answer.kind == kind])
        for kind in FOREIGN
        if any(answer.kind == kind for answer, _ in found)
    }
    error = calibration_error([(judgement.probability, answer.right) for answer, judgement in found])
    kept = holding.right / (holding.right + others.right)
    documents = len({answer.document for answer, _ in found})
    return Calibration(judge, len(found), documents, words, round(kept, 4), foreign, round(error, 4))


def card_with_verdicts(card: str, mode: RecallMode, calibration: Calibration, data: str) -> str:
    """A model card with a section on the verdicts of a recall mode, in the place of the one it may have."""
    rows = "".join(
        f"| {word} | {count.answers:,} | {count.rate:.0%} |\n" for word, count in calibration.verdicts.items()
    )
    foreign = ", ".join(f"{kind} {share:.0%}" for kind, share in calibration.foreign.items())
    heading = f"## Verdicts: {mode}"
    section = (
        f"{heading}\n\nFitted to {calibration.fitted_on:,} answers about {calibration.documents:,} documents ({data}). "
        f"Fitted to half of them, on the other half:\n\n| verdict | answers | right |\n|---|---|---|\n{rows}\n"
        f"{calibration.kept:.0%} of the right answers are sure or likely. So are, of answers to questions that the "
        f"document does not answer: {foreign}. Expected calibration error {calibration.calibration_error:.2f}.\n"
    )
    pattern = rf"\n(?:## Support|{re.escape(heading)})\n.*?(?=\n## |\Z)"
    without = re.sub(pattern, "", card, flags=re.DOTALL)
    before, limits, after = without.partition("\n## Limits\n")
    return f"{before.rstrip()}\n\n{section}{limits}{after}"


def _count(answers: Sequence[Judged]) -> Count:
    return Count(len(answers), sum(answer.right for answer in answers))


def _count_holding(holds: Sequence[bool]) -> float:
    return round(sum(holds) / len(holds), 4)
