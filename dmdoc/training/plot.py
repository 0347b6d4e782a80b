"""The curves of a run as one SVG picture: losses above, exact answers below, over the steps.

Written by hand: a handful of lines is all there is to draw. Knows the metrics and nothing about models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

PLOT = "metrics.svg"

_WIDTH, _HEIGHT = 760, 280  # of one panel, in pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 190, 20, 40  # what its axes and its names take of that
_MARKS = 4  # on each axis, beside 0
_SMOOTHED = 50  # points of a training curve: each the mean of as many steps

_BLUE, _ORANGE, _GREEN, _RED = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
)  # told apart by the colour-blind too

Metrics = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class _Curve:
    name: str
    colour: str
    points: Sequence[tuple[float, float]]
    """(step, value)."""


def plot_run(metrics: Metrics) -> str:
    """The picture of a run of at least one step; `metrics` are its log, one mapping a step."""
    losses = [
        _Curve("answer, training", _BLUE, _smooth(metrics, "answer")),
        _Curve("recitation, training", _ORANGE, _smooth(metrics, "recitation")),
        _Curve("answer, unseen, own state", _GREEN, _measured(metrics, "own", "answer")),
        _Curve("answer, unseen, donor state", _RED, _measured(metrics, "donor", "answer")),
    ]
    exact = [
        _Curve("training", _BLUE, _smooth(metrics, "answer_exact")),
        _Curve("unseen, own state", _GREEN, _measured(metrics, "own", "answer_exact")),
        _Curve("unseen, donor state", _RED, _measured(metrics, "donor", "answer_exact")),
    ]
    steps = metrics[-1]["step"]
    panels = [_panel("nats a token", losses, steps, 0), _panel("answers exact", exact, steps, _HEIGHT)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{2 * _HEIGHT}" '
        f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
        f"{''.join(panels)}</svg>\n"
    )


def _smooth(metrics: Metrics, name: str) -> list[tuple[float, float]]:
    """Means over stretches of steps, each drawn where its stretch ends."""
    length = -(-len(metrics) // _SMOOTHED)
    sums = [0.0, *accumulate(float(step[name]) for step in metrics)]
    ends = range(length, len(metrics) + 1, length)
    return [(metrics[end - 1]["step"], (sums[end] - sums[end - length]) / length) for end in ends]


def _measured(metrics: Metrics, control: str, name: str) -> list[tuple[float, float]]:
    return [(step["step"], step["eval"][control][name]) for step in metrics if "eval" in step]


def _panel(title: str, curves: Sequence[_Curve], steps: int, top: int) -> str:
    """Axes from 0, a line and a name for each curve."""
    height, width = _HEIGHT - _TOP - _BOTTOM, _WIDTH - _LEFT - _RIGHT
    highest = max((value for curve in curves for _, value in curve.points), default=0.0) or 1.0

    def x(step: float) -> float:
        return _LEFT + width * step / steps

    def y(value: float) -> float:
        return top + _TOP + height * (1 - value / highest)

    parts = [f'<text x="{_LEFT}" y="{top + 14}">{title}</text>']
    for mark in range(_MARKS + 1):
        step, value = steps * mark / _MARKS, highest * mark / _MARKS
        parts += [
            f'<path d="M{_LEFT} {y(value):.1f}h{width}" stroke="#ddd"/>',
            f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>',
            f'<text x="{x(step):.1f}" y="{y(0) + 16:.1f}" text-anchor="middle">{step:,.0f}</text>',
        ]
    for row, curve in enumerate(curves):
        line = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in curve.points)
        name_at = f'x="{_LEFT + width + 10}" y="{top + _TOP + 12 + 18 * row}"'
        parts += [
            f'<polyline points="{line}" fill="none" stroke="{curve.colour}" stroke-width="1.5"/>',
            f'<text {name_at} fill="{curve.colour}">{curve.name}</text>',
        ]
    return "".join(f"{part}\n" for part in parts)
