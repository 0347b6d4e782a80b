"""Results → one HTML file that stands alone: plots as inline SVG, every measure, every answer."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dmdoc.compare.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    accuracy,
    by_length,
    positions,
    share,
    size,
)
from dmdoc.compare.reliability import calibration_error, rated
from dmdoc.compare.results import MEANINGS, MODES, Mode, Result, Skipped, describe_skipped
from dmdoc.compare.summary import Summary, by_position, summarise
from dmdoc.compare.trust_charts import DIAGONAL, reliability_chart, risk_chart
from dmdoc.text.counting import counted

BY_POSITION: tuple[Mode, ...] = ("state", "spans", "donor", "full", "evidence")
"""The modes whose recall can depend on the position, and the donor."""

BY_LENGTH: tuple[Mode, ...] = ("state", "spans", "full", "evidence")
"""The modes that differ in what they cost: the others' prompts and states are as long as those of state."""

NO_BREAK = "\N{NO-BREAK SPACE}"

COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "exact": ("exact", share),
    "contains": ("contains", share),
    f"later{NO_BREAK}wins": ("later", share),
    "F1": ("f1", share),
    "log-likelihood": ("log_likelihood", "{:.2f}".format),
    "lift": ("lift", "{:+.2f}".format),
    "prompt tokens": ("prompt_tokens", "{:,.0f}".format),
    f"first token,{NO_BREAK}s": ("first_token_seconds", "{:.2g}".format),
    f"answer,{NO_BREAK}s": ("seconds", "{:.2g}".format),
    f"kept,{NO_BREAK}KB": ("kept_bytes", lambda size: f"{size / 1024:,.0f}"),
}
"""The columns of the table: heading → measure, and how it is written. One that nothing was measured for is left out."""


@dataclass(frozen=True)
class Tile:
    """A figure to begin with."""

    value: str
    meaning: str
    detail: str


@dataclass(frozen=True)
class AnswersRow:
    """A question, and what was given in each mode."""

    document: str
    question: str
    answers: tuple[str, ...]
    given: dict[Mode, Result] = field(default_factory=dict)


def html_report(
    results: Sequence[Result], skipped: Sequence[Skipped], run: Mapping[str, object], *, seed: int = 0
) -> str:
    """The report as a whole HTML page.

    Args:
        results: at least one.
        run: what was run, to be told as it is: names and values.
        seed: of the bootstrap intervals.
    """
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((Path(__file__).parent / "report.html").read_text(encoding="utf-8"))
    summaries = summarise(results, seed=seed)
    answers = _answers(results)
    documents = len({row.document for row in answers})
    judged = rated(results)
    measured = {name for summary in summaries for name in summary.measures}
    columns = {heading: column for heading, column in COLUMNS.items() if column[0] in measured}
    return template.render(
        lead=f"{counted(len(answers), 'question')} about {counted(documents, 'document')}, "
        f"each answered in {counted(len(summaries), 'mode')}.",
        tiles=_tiles(summaries),
        contains=accuracy(summaries, "contains"),
        exact=accuracy(summaries, "exact"),
        positions=positions(by_position(results, seed=seed), "contains", BY_POSITION),
        latency=by_length(results, lambda result: result.first_token_seconds, BY_LENGTH),
        memory=by_length(results, lambda result: result.kept_bytes / 1024, BY_LENGTH),
        honest=reliability_chart(judged) if judged else None,
        risk=risk_chart(judged) if judged else None,
        diagonal=DIAGONAL,
        errors=", ".join(f"{mode} {calibration_error(own):.2f}" for mode, own in judged.items()),
        summaries=summaries,
        columns=columns,
        meanings=MEANINGS,
        modes=MODES,
        skipped=describe_skipped(skipped),
        answers=answers,
        run=run,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=RIGHT,
        bottom=BOTTOM,
    )


def _tiles(summaries: Sequence[Summary]) -> list[Tile]:
    meanings: dict[Mode, str] = {
        "state": "right from the state alone",
        "spans": "right when chosen from the text's own phrases",
        "donor": "from another document's state",
        "full": "with the whole text in the prompt",
    }
    found = {summary.mode: summary.measures for summary in summaries}
    tiles = []
    for mode, meaning in meanings.items():
        if mode in found:
            estimate = found[mode]["contains"]
            interval = ""
            if estimate.low != estimate.high:
                interval = f"({share(estimate.low)} to {share(estimate.high)})".replace(" ", NO_BREAK)
            tiles.append(Tile(share(estimate.mean), meaning, interval))
    if "state" in found and "full" in found:
        state, cache = (size(found[mode]["kept_bytes"].mean) for mode in ("state", "full"))
        tiles.append(Tile(state, "kept of a document", f"for the {cache} of its text's key-value cache"))
    return tiles


def _answers(results: Sequence[Result]) -> list[AnswersRow]:
    """A row for each question, in the order in which they were asked."""
    rows: dict[tuple[str, int], AnswersRow] = {}
    seen: Counter[tuple[str, Mode]] = Counter()
    for result in results:
        # By number: a document may be asked the same twice.
        number = seen[result.document, result.mode]
        seen[result.document, result.mode] += 1
        blank = AnswersRow(result.document, result.question, result.answers)
        rows.setdefault((result.document, number), blank).given[result.mode] = result
    return list(rows.values())
