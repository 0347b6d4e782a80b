"""How far to trust the answers of an adapter: a judge fitted on the answers about some documents, checked on others'.

Each document is asked its own questions and such as it does not answer (foreign.py). What is kept of the check are
figures about documents that the judge has not seen. Knows nothing about where the documents come from.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice

from dmdoc.answer.recall import Inquiry, recall_all
from dmdoc.answer.signals import Signals, signals
from dmdoc.compare.cases import Cases
from dmdoc.compare.fitting import fit_judge
from dmdoc.compare.foreign import FOREIGN, Kind, posed
from dmdoc.compare.reliability import calibration_error
from dmdoc.compare.scoring import contains
from dmdoc.errors import DmdocError
from dmdoc.memory.judges import Judge, Judgement
from dmdoc.model.prompt import RecallMode
from dmdoc.model.reader import Reader
from dmdoc.progress import Counted, Report
from dmdoc.settings.generation import GenerationSettings

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

    def judged_by(self, judge: Judge) -> Judgement:
        found = asdict(self.signals)
        return judge.judge_sentences(found) if self.sentences else judge.judge(found)


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
    """A judge, and how it did on documents that it was not fitted on."""

    judge: Judge
    fitted_on: int
    """Answers."""
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
        state, text = cases.state(number), partial(tuple[str, ...], document.sections)
        questions = iter(own)
        while group := list(islice(questions, TOGETHER)):
            inquiries = [Inquiry(each.question, state, text) for each in group]
            for each, recalled in zip(
                group, recall_all(inquiries, reader, settings=settings, mode=mode), strict=True
            ):
                right = any(contains(recalled.answer.text, answer) for answer in each.answers)
                found = signals(each.question, recalled, state, document.sections, reader)
                quoted = recalled.choice is not None and bool(recalled.choice.quoted.sentences)
                judged.append(Judged(document.name, each.kind, found, right, quoted))
            if progress is not None:
                progress(Counted(len(judged), total, "answers"))
    return judged


def calibrate(answers: Sequence[Judged], *, seed: int = 0) -> Calibration:
    """Fit a judge on the answers about half of the documents, drawn by the seed, and check it on the others'.

    Raises:
        DmdocError: there are too few answers, or the judge fails on the other half.
    """
    documents = sorted({answer.document for answer in answers})
    random.Random(seed).shuffle(documents)
    first = set(documents[: len(documents) // 2])
    fitted = [answer for answer in answers if answer.document in first]
    judge = fit_judge(
        [asdict(answer.signals) for answer in fitted],
        [answer.right for answer in fitted],
        [answer.kind == "own" for answer in fitted],
        [answer.document for answer in fitted],
        [answer.sentences for answer in fitted],
    )
    return check(judge, [answer for answer in answers if answer.document not in first], len(fitted))


def check(judge: Judge, answers: Sequence[Judged], fitted_on: int) -> Calibration:
    """How a judge does on answers that it was not fitted on.

    Raises:
        DmdocError: answers that hold are not right TIMES as often as others.
    """
    found = [(answer, answer.judged_by(judge)) for answer in answers]
    words: dict[str, Count] = {}
    for word in ("sure", "likely", "doubtful", "not in the document"):
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
        if any(answer.kind == kind for answer in answers)
    }
    error = calibration_error([(judgement.probability, answer.right) for answer, judgement in found])
    kept = holding.right / (holding.right + others.right)
    return Calibration(judge, fitted_on, words, round(kept, 4), foreign, round(error, 4))


def card_with_verdicts(card: str, mode: RecallMode, calibration: Calibration, data: str) -> str:
    """A model card with a section on the verdicts of a recall mode, in the place of the one it may have."""
    rows = "".join(
        f"| {word} | {count.answers:,} | {count.rate:.0%} |\n" for word, count in calibration.verdicts.items()
    )
    foreign = ", ".join(f"{kind} {share:.0%}" for kind, share in calibration.foreign.items())
    heading = f"## Verdicts: {mode}"
    section = (
        f"{heading}\n\nFitted on {calibration.fitted_on:,} answers about half of the documents ({data}); on the other "
        f"half:\n\n| verdict | answers | right |\n|---|---|---|\n{rows}\n"
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
