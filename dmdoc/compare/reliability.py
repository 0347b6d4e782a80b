"""How honest probabilities are, and what is gained by giving the surest answers alone. Knows nothing about models."""

from collections.abc import Sequence
from dataclasses import dataclass

from dmdoc.compare.results import MODES, Mode, Result

BINS = 10
"""Parts of equal width, of probabilities from 0 to 1."""

Rated = tuple[float, bool]
"""The probability of an answer, and whether it is right."""


@dataclass(frozen=True)
class Bin:
    """The answers whose probability lies in one part."""

    answers: int
    probability: float
    """Their mean."""
    right: float
    """The share of them that is right."""


@dataclass(frozen=True)
class Level:
    """What giving only the answers from a probability on comes to."""

    threshold: float
    coverage: float
    """The share of all answers that is given."""
    accuracy: float | None
    """The share of those that is right; None where there is none."""


def rated(results: Sequence[Result]) -> dict[Mode, list[Rated]]:
    """Of each mode whose answers are judged the probabilities, and whether the answer contains a right one."""
    found: dict[Mode, list[Rated]] = {}
    for mode in MODES:
        own = [
            (each.probability, each.contains)
            for each in results
            if each.mode == mode and each.probability is not None
        ]
        if own:
            found[mode] = own
    return found


def reliability(rated: Sequence[Rated]) -> list[Bin]:
    """The parts that have answers, from the least probable on."""
    parts: list[list[Rated]] = [[] for _ in range(BINS)]
    for probability, right in rated:
        parts[min(int(probability * BINS), BINS - 1)].append((probability, right))
    return [
        Bin(len(part), sum(p for p, _ in part) / len(part), sum(right for _, right in part) / len(part))
        for part in parts
        if part
    ]


def calibration_error(rated: Sequence[Rated]) -> float:
    """Expected calibration error: by how much probability and share of right answers differ, over BINS parts."""
    return sum(part.answers * abs(part.probability - part.right) for part in reliability(rated)) / len(rated)


def levels(rated: Sequence[Rated]) -> list[Level]:
    """Coverage and accuracy at thresholds from 0 to 0.9."""
    found = []
    for step in range(BINS):
        threshold = step / BINS
        given = [right for probability, right in rated if probability >= threshold]
        accuracy = sum(given) / len(given) if given else None
        found.append(Level(threshold, len(given) / len(rated), accuracy))
    return found


def risk_coverage(rated: Sequence[Rated]) -> list[tuple[float, float]]:
    """`(coverage, risk)`, the surest answers first: risk is the share of the given ones that is wrong."""
    wrong, curve = 0, []
    for number, (_, right) in enumerate(sorted(rated, key=lambda one: -one[0]), 1):
        wrong += not right
        curve.append((number / len(rated), wrong / number))
    return curve
