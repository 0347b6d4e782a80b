"""Tables on stdout: they are what was asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dmdoc.console import printable, stdout

if TYPE_CHECKING:
    from rich.table import Table

    from dmdoc.library.saved_document import SavedDocument
    from dmdoc.model.registry import ModelStatus

UNFOLDED = 100_000
"""Columns of a table that no terminal shows."""


def documents_table(documents: "Sequence[SavedDocument]") -> None:
    """The saved documents, on stdout."""
    from rich.table import Table

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
            printable(header.backbone.name),
            saved.created,
            printable(saved.source),
        )
    print_table(table)


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
    print_table(table)


def settings_table(rows: Sequence[tuple[str, object, str]]) -> None:
    """Each setting, its value and where that comes from, on stdout."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("setting", "value", "from"):
        table.add_column(heading, overflow="fold")
    for name, value, source in rows:
        table.add_row(name, "" if value is None else str(value), source)
    print_table(table)


def values_table(values: dict[str, Any]) -> None:
    """One thing: what is known of it, on stdout."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in values.items():
        shown = (
            " ".join(value) if isinstance(value, list) else f"{value:,}" if type(value) is int else str(value)
        )
        table.add_row(name.replace("_", " "), printable(shown))
    print_table(table)


def print_table(table: "Table") -> None:
    """A row is a line unless a terminal is too narrow for it."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = UNFOLDED  # a script reads lines: a row is one, however long
    with stdout():
        console.print(table)
