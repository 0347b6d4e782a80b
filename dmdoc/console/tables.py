"""Tables on stdout: they are what was asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dmdoc.console import note

if TYPE_CHECKING:
    from rich.table import Table

    from dmdoc.compare import Result, Summary
    from dmdoc.models import ModelStatus
    from dmdoc.saved_document import SavedDocument

UNFOLDED = 100_000
"""Columns of a table that no terminal shows."""


def comparison_table(summaries: "list[Summary]") -> None:
    """Recall by mode, on stdout."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("mode", "questions", "exact", "95 %", "contains", "F1", "prompt tokens", "seconds"):
        table.add_column(heading, justify="left" if heading == "mode" else "right")
    for row in summaries:
        low, high = row.exact_interval
        table.add_row(
            row.mode,
            str(row.questions),
            f"{row.exact:.0%}",
            f"{low:.0%} to {high:.0%}",
            f"{row.contains:.0%}",
            f"{row.f1:.2f}",
            f"{row.prompt_tokens:,.0f}",
            f"{row.seconds:.2f}",
        )
    _print(table)


def answers_table(results: "list[Result]") -> None:
    """Every question with the right and the given answer, on stdout."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("", "question", "right", "given"):
        table.add_column(heading, overflow="fold")
    for result in results:
        mark = "✓" if result.exact else "~" if result.contains else "✗"
        table.add_row(mark, result.question, " / ".join(result.answers), result.given)
    _print(table)


def documents_table(documents: "Sequence[SavedDocument]") -> None:
    """The saved documents, on stdout."""
    from rich.table import Table

    if not documents:
        note("nothing is saved yet; read a document with `dmdoc ingest FILE`")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "tags", "pages", "tokens", "model", "created", "source"):
        table.add_column(
            heading, overflow="fold", justify="right" if heading in ("pages", "tokens") else "left"
        )
    for saved in documents:
        header = saved.header()
        tokens = f"{header.tokens_written:,}"
        table.add_row(
            saved.name,
            " ".join(saved.tags),
            str(saved.page_count),
            tokens,
            header.backbone.name,
            saved.created,
            saved.source,
        )
    _print(table)


def models_table(statuses: "list[ModelStatus]") -> None:
    """The known backbones and adapters, on stdout: it is what was asked for."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "kind", "source", "licence", "on disk"):
        table.add_column(heading, overflow="fold")
    for status in statuses:
        known = status.model
        size = "no" if status.on_disk is None else f"{status.on_disk / 1e6:,.0f} MB"
        table.add_row(known.name, known.kind, known.source, known.licence, size)
    _print(table)


def settings_table(rows: Sequence[tuple[str, object, str]]) -> None:
    """Each setting, its value and where that comes from, on stdout."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("setting", "value", "from"):
        table.add_column(heading, overflow="fold")
    for name, value, source in rows:
        table.add_row(name, "" if value is None else str(value), source)
    _print(table)


def values_table(values: dict[str, Any]) -> None:
    """One thing: what is known of it, on stdout."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in values.items():
        shown = (
            " ".join(value) if isinstance(value, list) else f"{value:,}" if type(value) is int else str(value)
        )
        table.add_row(name.replace("_", " "), shown)
    _print(table)


def _print(table: "Table") -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = UNFOLDED  # a script reads lines: a row is one, however long
    console.print(table)
