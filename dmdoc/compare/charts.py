"""What the report draws, in the units of an SVG: scales, ticks, and where each mark stands.

Knows nothing about colours or how a mark looks; the template (report.html) draws.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from dmdoc.compare.results import MODES, Mode, Result
from dmdoc.compare.summary import Estimate, Part, Summary

WIDTH, HEIGHT = 360, 236
"""Of every chart with two axes. As narrow as a phone, so that its letters are legible on one."""

LEFT, RIGHT, TOP, BOTTOM = 44, 350, 10, 194
"""The edges of the area between the axes."""

SHARES = (0.1, 0.25, 0.5, 1.0)
"""What an axis of shares may end with: the least that holds all marks."""

APART = 5
"""Between the marks of two modes at one place of an axis, so that none hides another."""


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` → places from `begin` to `end`; with `log` equal steps are equal factors."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return round(self.begin + (self.end - self.begin) * (at - low) / (high - low), 1)

    def ticks(self, values: Iterable[float], label: Callable[[float], str]) -> tuple[Tick, ...]:
        """Those of the values that the scale holds."""
        held = (value for value in values if self.low <= value <= self.high)
        return tuple(Tick(self(value), label(value)) for value in held)


@dataclass(frozen=True)
class Mark:
    """A point, with an interval where `low` and `high` are (they are places on the y axis)."""

    x: float
    y: float
    title: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """The marks of a mode, from left to right."""

    mode: Mode
    marks: tuple[Mark, ...]

    @property
    def line(self) -> str:
        """Through all marks, as the points of an SVG polyline."""
        return " ".join(f"{mark.x},{mark.y}" for mark in self.marks)

    @property
    def band(self) -> str:
        """Around all intervals, as the points of an SVG polygon."""
        lower = [f"{mark.x},{mark.low}" for mark in self.marks if mark.low is not None]
        upper = [f"{mark.x},{mark.high}" for mark in self.marks if mark.high is not None]
        return " ".join([*lower, *reversed(upper)])


@dataclass(frozen=True)
class Chart:
    """Marks between two axes."""

    x_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    series: tuple[Series, ...]
    joined: bool
    """Whether the marks of a mode are joined by a line."""


@dataclass(frozen=True)
class Bar:
    """A mode's share, and its interval, on a horizontal axis."""

    mode: Mode
    questions: int
    end: float
    low: float
    high: float
    label: str


@dataclass(frozen=True)
class BarChart:
    """Shares of several modes, one below the other."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]


def share(value: float) -> str:
    return f"{value:.0%}".replace("%", " %")


def size(count: float) -> str:
    """Bytes as they are told."""
    if count < 1024**2:
        return f"{count / 1024:,.0f} KB" if count else "0"
    return f"{count / 1024**2:,.1f} MB"


def accuracy(summaries: Sequence[Summary], measure: str) -> BarChart:
    """A measure between 0 and 1 by mode; the axis is the same for every measure."""
    scale = Scale(0, 1, 74, 312)
    bars = []
    for summary in summaries:
        found = summary.measures[measure]
        end, low, high = (scale(value) for value in (found.mean, found.low, found.high))
        bars.append(Bar(summary.mode, summary.questions, end, low, high, share(found.mean)))
    return BarChart(tuple(bars), scale.ticks((0, 0.25, 0.5, 0.75, 1), share))


def positions(parts: Sequence[Part], measure: str, modes: Sequence[Mode]) -> Chart | None:
    """A measure between 0 and 1 by the position of the answer; None if no position is known."""
    found: dict[Mode, list[tuple[Part, Summary, Estimate]]] = defaultdict(list)
    for part in parts:
        for summary in part.summaries:
            if summary.mode in modes:
                found[summary.mode].append((part, summary, summary.measures[measure]))
    if not found:
        return None
    highest = max(max(estimate.mean for *_, estimate in own) for own in found.values())
    top = next(value for value in SHARES if highest <= value)
    x, y = Scale(0, 1, LEFT, RIGHT), Scale(0, top, BOTTOM, TOP)
    shown = [mode for mode in MODES if mode in found]
    series = [
        Series(
            mode,
            tuple(
                Mark(
                    x=round(x((part.begin + part.end) / 2) + APART * (number - (len(shown) - 1) / 2), 1),
                    y=y(estimate.mean),
                    title=f"{mode}, {part.begin:.0%} to {part.end:.0%} of the text: "
                    f"{share(estimate.mean)} of {summary.questions} questions",
                    low=y(estimate.low),
                    high=y(min(estimate.high, top)),
                )
                for part, summary, estimate in found[mode]
            ),
        )
        for number, mode in enumerate(shown)
    ]
    x_ticks = x.ticks(
        (0, 0.25, 0.5, 0.75, 1), lambda at: "begin" if at == 0 else "end" if at == 1 else share(at)
    )
    y_ticks = y.ticks([top * step / 4 for step in range(5)], lambda at: f"{100 * at:g} %")
    return Chart("position of the answer in the text", x_ticks, y_ticks, tuple(series), joined=True)


def by_length(
    results: Sequence[Result], measure: Callable[[Result], float | None], modes: Sequence[Mode]
) -> Chart | None:
    """A measure above 0 against the tokens of the document, a mark for each document; None without any."""
    values: dict[tuple[Mode, int, str], list[float]] = defaultdict(list)
    for result in results:
        value = measure(result)
        if result.mode in modes and value is not None and value > 0:
            values[result.mode, result.document_tokens, result.document].append(value)
    points: dict[Mode, list[tuple[int, float, str]]] = defaultdict(list)
    for (mode, tokens, name), found in sorted(values.items()):
        points[mode].append((tokens, fmean(found), name))
    if not points:
        return None
    x = _log_scale([at for own in points.values() for at, *_ in own], LEFT, RIGHT)
    y = _log_scale([value for own in points.values() for _, value, _ in own], BOTTOM, TOP)
    series = tuple(
        Series(
            mode,
            tuple(
                Mark(x(at), y(value), f"{mode}, {name}: {at:,} tokens, {value:,.3g}")
                for at, value, name in points[mode]
            ),
        )
        for mode in MODES
        if mode in points
    )
    return Chart(
        "tokens of the document",
        _log_ticks(x),
        _log_ticks(y),
        series,
        joined=False,
    )


def _short(value: float) -> str:
    """A tick's label, which has room for five characters."""
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k" if value >= 1e4 else f"{value:,g}"


def _log_scale(values: Sequence[float], begin: float, end: float) -> Scale:
    """A scale that holds the values with some room around them, and at least a decade."""
    low, high = min(values), max(values)
    room = max(1.3, math.sqrt(10 * low / high))
    return Scale(low / room, high * room, begin, end, log=True)


def _log_ticks(scale: Scale) -> tuple[Tick, ...]:
    """Round values, and no more than have room."""
    first, last = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
    for digits in ((1, 2, 5), (1, 3), (1,)):
        values = [digit * 10.0**power for power in range(first, last + 1) for digit in digits]
        ticks = scale.ticks(values, _short)
        if len(ticks) <= 6:
            break
    return ticks
