"""How the answers of an adapter are judged: what `dmdoc calibrate` measured, in `judges.json` beside its weights.

A judge makes two probabilities of an answer's signals (answer/signals.py), each by a logistic regression: that the
document answers the question at all, and that the answer is right. Thresholds make a word of them. They are measured
after training, so that they are no part of what an adapter is. Knows nothing about how a signal is measured.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from dmdoc.atomic_file import write_atomically
from dmdoc.errors import AdapterError

JUDGES_FILE = "judges.json"

EVEN = 0.5
"""The probability from which on sentences are likely to answer."""

Verdict = Literal["sure", "likely", "doubtful", "not in the document"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""The best first."""


@dataclass(frozen=True)
class Logistic:
    """A logistic regression: a weight for each signal that it looks at."""

    bias: float
    weights: Mapping[str, float]

    def __call__(self, signals: Mapping[str, float]) -> float:
        """The probability, from 0 to 1."""
        total = self.bias + sum(weight * signals[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-40.0, min(40.0, total))))


@dataclass(frozen=True)
class Judgement:
    """What is to be thought of an answer."""

    verdict: Verdict
    probability: float
    """That it is right, from 0 to 1."""
    answerable: float
    """The probability that the document answers the question at all."""

    @property
    def holds(self) -> bool:
        """Whether `ask --strict` gives it."""
        return self.verdict in ("sure", "likely")

    def lowered(self, verdict: Verdict, likely: float) -> "Judgement":
        """The same, but no better than `verdict`, and less probable than what is likely.

        Args:
            likely: the least probability of a likely answer.
        """
        worse = VERDICTS[max(VERDICTS.index(self.verdict), VERDICTS.index(verdict))]
        return replace(self, verdict=worse, probability=self.probability * likely)


@dataclass(frozen=True)
class Judge:
    """Judges answers that came about in one recall mode."""

    answerable: Logistic
    right: Logistic
    least_answerable: float
    """Below it the document does not answer the question."""
    likely: float
    """The least probability of a likely answer."""
    sure: float

    @property
    def heard(self) -> set[str]:
        """The names of all signals that it looks at."""
        return {*self.answerable.weights, *self.right.weights}

    def judge(self, signals: Mapping[str, float]) -> Judgement:
        answerable, right = self.answerable(signals), self.right(signals)
        verdict: Verdict = "doubtful"
        if answerable < self.least_answerable:
            verdict, right = "not in the document", min(right, answerable)
        elif right >= self.likely:
            verdict = "sure" if right >= self.sure else "likely"
        return Judgement(verdict, right, answerable)

    def judge_sentences(self, signals: Mapping[str, float]) -> Judgement:
        """Of an answer that is whole sentences: as probable as that the document answers the question; never sure."""
        answerable = self.answerable(signals)
        verdict: Verdict = "likely" if answerable >= EVEN else "doubtful"
        if answerable < self.least_answerable:
            verdict = "not in the document"
        return Judgement(verdict, answerable, answerable)


def read_judges(folder: Path) -> dict[str, Judge]:
    """The judges of the adapter in `folder`, by the recall mode; none where nobody has calibrated it.

    Raises:
        AdapterError: the file is damaged.
    """
    path = folder / JUDGES_FILE
    if not path.exists():
        return {}
    try:
        modes = json.loads(path.read_text(encoding="utf-8"))["modes"]
        return {str(mode): _judge(record) for mode, record in modes.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AdapterError(f"{path} is damaged; remove it, or calibrate the adapter again") from error


def write_judges(folder: Path, judges: Mapping[str, Judge]) -> None:
    """Keep these judges beside those of other modes.

    Raises:
        AdapterError: what is there is damaged.
        OSError: the folder cannot be written.
    """
    modes = {mode: asdict(judge) for mode, judge in {**read_judges(folder), **judges}.items()}
    text = json.dumps({"schema": 1, "modes": modes}, indent=1)
    write_atomically(folder / JUDGES_FILE, (text + "\n").encode())


def _judge(record: Mapping[str, Any]) -> Judge:
    numbers = {name: _number(record[name]) for name in ("least_answerable", "likely", "sure")}
    return Judge(_logistic(record["answerable"]), _logistic(record["right"]), **numbers)


def _logistic(record: Mapping[str, Any]) -> Logistic:
    weights = {str(name): _number(weight) for name, weight in record["weights"].items()}
    return Logistic(_number(record["bias"]), weights)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"not a number: {value!r}")
    return float(value)
