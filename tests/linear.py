"""Whether a step takes time in proportion to the length of what it is given."""

import gc
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

MOST = 16.0
"""Times the time that ten times the length may take. What is quadratic takes 100 times; what is linear 10 to 13, where
only the shorter one fits a cache."""

_MEASURABLE = 0.002
"""Seconds: what takes less is measured on a longer text."""

_ROUNDS = 4
"""The least of so many times counts: other processes slow some of them down."""


def assert_linear(step: Callable[[T], object], make: Callable[[int], T], *, size: int = 100) -> None:
    """Ten times the length takes at most `MOST` times the time; `make` gives what is so many times as long.

    The short one is taken ten times in a row: what else the machine does then slows both alike.
    """
    while _seconds(step, make(size), 1) < _MEASURABLE:
        size *= 2
    ratios = []
    for factor in (1, 3, 9, 27):  # what just fits a cache is faster than in proportion
        small, large = make(factor * size), make(10 * factor * size)
        least = [float("inf"), float("inf")]
        for _ in range(_ROUNDS):
            least = [min(least[0], _seconds(step, small, 10) / 10), min(least[1], _seconds(step, large, 1))]
            if least[1] <= MOST * least[0]:
                return
        ratios.append(least[1] / least[0])
        if min(ratios) > 2 * MOST:
            break
    raise AssertionError(f"ten times the length takes {min(ratios):.1f} times the time")


def _seconds(step: Callable[[T], object], given: T, times: int) -> float:
    """Of the processor, without the collector of cyclic garbage, which looks through all there is when it likes."""
    gc.disable()
    try:
        started = time.process_time()
        for _ in range(times):
            step(given)
        return time.process_time() - started
    finally:
        gc.enable()
