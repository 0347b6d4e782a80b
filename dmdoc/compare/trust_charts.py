"""What the report draws of probabilities: how honest they are, and what giving the surest answers alone comes to.

Knows nothing about colours or how a mark looks; the template (report.html) draws.
"""

from collections.abc import Mapping, Sequence

from dmdoc.compare.charts import BOTTOM, LEFT, RIGHT, TOP, Chart, Mark, Scale, Series, share
from dmdoc.compare.reliability import Rated, reliability, risk_coverage
from dmdoc.compare.results import Mode

QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)

MOST_MARKS = 60
"""Of a curve; one of more answers is drawn by so many of them, and its last."""

_X, _Y = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)

DIAGONAL = f"{_X(0)},{_Y(0)} {_X(1)},{_Y(1)}"
"""Where honest probabilities lie, as the points of an SVG polyline."""


def reliability_chart(rated: Mapping[Mode, Sequence[Rated]]) -> Chart:
    """The share of right answers by the probability that was told, a mark for each of ten parts that has answers."""
    return _chart(
        "probability that was told",
        {
            mode: tuple(
                Mark(
                    _X(part.probability),
                    _Y(part.right),
                    f"{mode}: of {part.answers:,} answers with about {share(part.probability)} "
                    f"{share(part.right)} are right",
                )
                for part in reliability(own)
            )
            for mode, own in rated.items()
        },
    )


def risk_chart(rated: Mapping[Mode, Sequence[Rated]]) -> Chart:
    """The share of wrong answers among the surest ones, by how many of all these are."""
    marks = {}
    for mode, own in rated.items():
        curve = risk_coverage(own)
        step = -(-len(curve) // MOST_MARKS)
        kept = dict.fromkeys([*curve[::step], curve[-1]])
        marks[mode] = tuple(
            Mark(
                _X(coverage),
                _Y(risk),
                f"{mode}: the surest {share(coverage)} of the answers are wrong in {share(risk)}",
            )
            for coverage, risk in kept
        )
    return _chart("answers that are given, the surest first", marks)


def _chart(label: str, marks: Mapping[Mode, tuple[Mark, ...]]) -> Chart:
    series = tuple(Series(mode, own) for mode, own in marks.items())
    return Chart(label, _X.ticks(QUARTERS, share), _Y.ticks(QUARTERS, share), series, joined=True)
