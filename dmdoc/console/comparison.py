"""What `compare` found, as tables on stdout."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dmdoc.console.tables import print_table

if TYPE_CHECKING:
    from dmdoc.compare import Estimate, Mode, Result, Summary
    from dmdoc.compare.reliability import Level, Rated


def comparison_tables(summaries: "Sequence[Summary]") -> None:
    """How right the answers are, and what they cost, by mode; in brackets 95 % intervals, where there is one.

    Log-likelihood, of a right answer, and lift, of the given one, are in nats a token. Both tables fit 80 columns.
    """
    from dmdoc.compare import size

    updated = any("later" in row.measures for row in summaries)
    later: dict[str, Callable[[Summary], str]] = {
        "later wins": lambda row: _share(row.measures["later"]) if "later" in row.measures else ""
    }
    _table(
        summaries,
        {
            "asked": lambda row: f"{row.questions:,}",
            "exact": lambda row: _share(row.measures["exact"]),
            "contains": lambda row: _share(row.measures["contains"]),
            **(later if updated else {}),
            "F1": lambda row: f"{row.measures['f1'].mean:.2f}",
            "log likelihood": lambda row: f"{row.measures['log_likelihood'].mean:.2f}",
            "lift": lambda row: f"{row.measures['lift'].mean:+.2f}" if "lift" in row.measures else "",
        },
    )
    _table(
        summaries,
        {
            "prompt tokens": lambda row: f"{row.measures['prompt_tokens'].mean:,.0f}",
            "first token": lambda row: _seconds(row.measures.get("first_token_seconds")),
            "answer": lambda row: _seconds(row.measures.get("seconds")),
            "kept of the document": lambda row: size(row.measures["kept_bytes"].mean),
        },
    )


def probabilities_table(rated: "Mapping[Mode, Sequence[Rated]]") -> None:
    """Of each judged mode how many answers have at least a probability, and how many of those are right."""
    from dmdoc.compare import calibration_error, levels

    def shown(own: "Sequence[Rated]") -> "Sequence[Level]":
        return levels(own)[::2]

    rows = []
    for mode, own in rated.items():
        told = [mode, f"{calibration_error(own):.2f}"]
        for level in shown(own):
            accuracy = "" if level.accuracy is None else f" {level.accuracy:.0%}"
            told.append(f"{level.coverage:.0%}{accuracy}")
        rows.append(told)
    if rows:
        thresholds = (level.threshold for level in shown([(1.0, True)]))
        headings = ("mode", "calibration error", *(f"from {threshold:.1f}" for threshold in thresholds))
        print_table(rows, headings, right=headings[1:])


def _table(summaries: "Sequence[Summary]", columns: "dict[str, Callable[[Summary], str]]") -> None:
    rows = [(row.mode, *(show(row) for show in columns.values())) for row in summaries]
    print_table(rows, ("mode", *columns), right=tuple(columns))


def answers_table(results: "Sequence[Result]") -> None:
    """Every question with the right and the given answer."""
    rows = []
    for result in results:
        mark = "✓" if result.exact else "~" if result.contains else "✗"
        rows.append((mark, result.question, " / ".join(result.answers), result.given))
    print_table(rows, ("", "question", "right", "given"))


def _share(estimate: "Estimate") -> str:
    if estimate.low == estimate.high:
        return f"{estimate.mean:.0%}"
    return f"{estimate.mean:.0%} ({100 * estimate.low:.0f}–{100 * estimate.high:.0f})"  # noqa: RUF001


def _seconds(estimate: "Estimate | None") -> str:
    return "" if estimate is None else f"{estimate.mean:.2f} s"
