"""How likely an answer of an adapter has to be to count as supported: chosen on some documents, checked on others.

The threshold is the one that parts right answers from wrong ones best. It holds if, on documents that it was not
chosen on, supported answers are right at least twice as often as unsupported ones. Knows nothing about where the
documents come from.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dmdoc.answer.recall import Inquiry, recall_all
from dmdoc.answer.support import Support
from dmdoc.compare import Cases
from dmdoc.compare.scoring import contains
from dmdoc.errors import DmdocError
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

TIMES = 2
"""Supported answers are to be right at least so many times as often as unsupported ones."""

SMALLEST_SHARE = 0.1
"""Of the answers that a threshold is chosen on, at least this share falls on either side of it."""

TOGETHER = 16
"""Questions that are asked at once."""


@dataclass(frozen=True)
class Judged:
    """An answer from a document's state."""

    document: str
    support: Support
    right: bool
    """A right answer stands in it."""


@dataclass(frozen=True)
class Side:
    """The answers on one side of a threshold."""

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
    """A threshold, and what it does to answers that it was not chosen on."""

    threshold: float
    """The least log-likelihood of a supported answer, in nats a token (support.py)."""
    chosen_on: int
    """Answers."""
    supported: Side
    unsupported: Side


def judge(
    cases: Cases,
    reader: Reader,
    *,
    settings: GenerationSettings,
    progress: Callable[[int, int], None] | None = None,
) -> list[Judged]:
    """Answer every question from the state of its document.

    Args:
        progress: hears (answers given, answers in all).
    """
    total = sum(len(document.questions) for document in cases.documents)
    judged: list[Judged] = []
    for number, document in enumerate(cases.documents):
        state = cases.state(number)
        for start in range(0, len(document.questions), TOGETHER):
            group = document.questions[start : start + TOGETHER]
            inquiries = [Inquiry(asked.question, state, lambda: ()) for asked in group]
            answers = recall_all(inquiries, reader, settings=settings)
            for asked, recalled in zip(group, answers, strict=True):
                assert recalled.support is not None  # there is a state
                right = any(contains(recalled.answer.text, answer) for answer in asked.answers)
                judged.append(Judged(document.name, recalled.support, right))
            if progress is not None:
                progress(len(judged), total)
    return judged


def calibrate(answers: Sequence[Judged], *, seed: int = 0) -> Calibration:
    """Choose a threshold on the answers of half of the documents, drawn by the seed, and check it on the others'.

    Raises:
        DmdocError: there is one document; no threshold parts the one half, or that which does fails on the other.
    """
    documents = sorted({answer.document for answer in answers})
    if len(documents) < 2:
        raise DmdocError(
            "a threshold is chosen on some documents and checked on others; ask about more than one"
        )
    random.Random(seed).shuffle(documents)
    first = set(documents[: len(documents) // 2])
    chosen_on = [answer for answer in answers if answer.document in first]
    others = [answer for answer in answers if answer.document not in first]
    threshold = _best_threshold(chosen_on)
    supported, unsupported = sides(others, threshold)
    if not _parts(supported, unsupported):
        raise DmdocError(
            f"no threshold was set: of answers with a likelihood of {threshold:+.2f} nats a token or more, "
            f"{supported} on other documents, of those below {unsupported}; supported answers are to be right {TIMES} "
            "times as often"
        )
    return Calibration(threshold, len(chosen_on), supported, unsupported)


def sides(answers: Sequence[Judged], threshold: float) -> tuple[Side, Side]:
    """The answers that a threshold supports, and those that it does not."""
    above = [answer.right for answer in answers if answer.support.suffices(threshold)]
    below = [answer.right for answer in answers if not answer.support.suffices(threshold)]
    return Side(len(above), sum(above)), Side(len(below), sum(below))


def card_with_support(card: str, calibration: Calibration, data: str) -> str:
    """A model card with a section on support, in the place of the one it may have; `data` says what was asked."""
    section = (
        "## Support\n\n"
        "An answer counts as supported by the state that lifts it and makes it likely: "
        f"{calibration.threshold:+.2f} nats a token or more. Chosen on {calibration.chosen_on:,} answers about half "
        f"of the documents ({data}); on the other half:\n\n"
        "| | answers | right |\n|---|---|---|\n"
        f"| supported | {calibration.supported.answers:,} | {calibration.supported.rate:.0%} |\n"
        f"| not supported | {calibration.unsupported.answers:,} | {calibration.unsupported.rate:.0%} |\n"
    )
    without = re.sub(r"\n## Support\n.*?(?=\n## |\Z)", "", card, flags=re.DOTALL)
    before, limits, after = without.partition("\n## Limits\n")
    return f"{before.rstrip()}\n\n{section}{limits}{after}"


def _best_threshold(answers: Sequence[Judged]) -> float:
    """Half-way between two likelihoods: where most right answers lie above and most wrong ones below."""
    least = max(1, round(SMALLEST_SHARE * len(answers)))
    likelihoods = sorted({answer.support.log_likelihood for answer in answers})
    candidates = []
    for low, high in pairwise(likelihoods):
        threshold = round((low + high) / 2, 3)
        supported, unsupported = sides(answers, threshold)
        if min(supported.answers, unsupported.answers) >= least and _parts(supported, unsupported):
            candidates.append((_informedness(supported, unsupported), threshold))
    if not candidates:
        right = sum(answer.right for answer in answers)
        raise DmdocError(
            f"no threshold was set: of {len(answers)} answers {right} are right, and no likelihood parts them from "
            "the wrong ones; ask more questions, or train the adapter further"
        )
    return max(candidates)[1]


def _parts(supported: Side, unsupported: Side) -> bool:
    return supported.right > 0 and supported.rate >= TIMES * unsupported.rate


def _informedness(supported: Side, unsupported: Side) -> float:
    """The share of right answers that are supported, less that of wrong ones (Youden's J)."""
    right = supported.right + unsupported.right
    wrong = supported.answers + unsupported.answers - right
    return supported.right / right - (supported.answers - supported.right) / max(1, wrong)
