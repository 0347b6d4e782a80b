"""Results → means with confidence intervals: by mode, and by position in the document."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dmdoc.compare.results import MODES, Mode, Result

RESAMPLES = 1000
"""Bootstrap resamples behind a confidence interval."""

BINS = 10
"""Parts of equal length that a document has, for recall by position."""

MEASURES: dict[str, Callable[[Result], float | None]] = {
    "exact": lambda result: result.exact,
    "contains": lambda result: result.contains,
    "later": lambda result: result.later,
    "f1": lambda result: result.f1,
    "log_likelihood": lambda result: result.log_likelihood,
    "lift": lambda result: result.lift,
    "prompt_tokens": lambda result: result.prompt_tokens,
    "first_token_seconds": lambda result: result.first_token_seconds,
    "seconds": lambda result: result.seconds,
    "kept_bytes": lambda result: result.kept_bytes,
}
"""What is averaged of a result, by its name; None is left out."""


@dataclass(frozen=True)
class Estimate:
    """A mean over questions with its 95 % interval: bootstrap percentiles, whole questions being drawn."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Summary:
    """One mode over all its questions, or over those of one part of the documents."""

    mode: Mode
    questions: int
    measures: dict[str, Estimate]
    """By the names of MEASURES; one that no result has is left out."""


@dataclass(frozen=True)
class Part:
    """Recall where the answers stand between two positions in the document, as shares of its text."""

    begin: float
    end: float
    summaries: tuple[Summary, ...]
    """Of the modes that have a question there."""


def summarise(results: Sequence[Result], *, seed: int = 0) -> list[Summary]:
    """Means by mode, in the order of MODES; the same seed gives the same intervals."""
    by_mode = ((mode, [result for result in results if result.mode == mode]) for mode in MODES)
    return [Summary(mode, len(own), _measures(own, seed)) for mode, own in by_mode if own]


def by_position(results: Sequence[Result], *, seed: int = 0) -> list[Part]:
    """The same for ten parts of the documents, from their beginning to their end."""
    parts = []
    for number in range(BINS):
        here = [
            result
            for result in results
            if result.position is not None and min(int(result.position * BINS), BINS - 1) == number
        ]
        parts.append(Part(number / BINS, (number + 1) / BINS, tuple(summarise(here, seed=seed))))
    return parts


def _measures(results: Sequence[Result], seed: int) -> dict[str, Estimate]:
    measures = {}
    for name, measure in MEASURES.items():
        values = [value for value in map(measure, results) if value is not None]
        if values:
            measures[name] = _estimate(np.array(values, dtype=float), seed)
    return measures


def _estimate(values: NDArray[np.float64], seed: int) -> Estimate:
    means = values[_draws(len(values), seed)].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return Estimate(float(values.mean()), float(low), float(high))


@lru_cache(maxsize=8)
def _draws(count: int, seed: int) -> NDArray[np.int64]:
    """The indices of the resamples, `[RESAMPLES, count]`."""
    return np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
