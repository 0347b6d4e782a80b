"""Tables on stdout: they are what was asked for."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dmdoc.console import stdout
from dmdoc.console.visible import printable, stdout_console

if TYPE_CHECKING:
    from dmdoc.library.saved_document import SavedDocument
    from dmdoc.model.registry import ModelStatus

UNFOLDED = 100_000
"""Columns of a table that no terminal shows."""


def documents_table(documents: "Sequence[SavedDocument]") -> None:
    """The saved documents."""
    rows = []
    for saved in documents:
        header = saved.header()
        tags, pages, tokens = " ".join(saved.tags), str(saved.page_count), f"{header.tokens_written:,}"
        rows.append((saved.name, tags, pages, tokens, header.backbone.name, saved.created, saved.source))
    headings = ("name", "tags", "pages", "tokens", "model", "created", "source")
    print_table(rows, headings, right=("pages", "tokens"))


def models_table(statuses: "list[ModelStatus]") -> None:
    """The known backbones and adapters."""
    rows = []
    for status in statuses:
        known = status.model
        size = "no" if status.on_disk is None else f"{status.on_disk / 1e6:,.0f} MB"
        rows.append((known.name, known.kind, known.source, known.licence, size))
    print_table(rows, ("name", "kind", "source", "licence", "on disk"))


def settings_table(rows: Sequence[tuple[str, object, str]]) -> None:
    """Each setting, its value and where that comes from."""
    cells = [(name, "" if value is None else str(value), source) for name, value, source in rows]
    print_table(cells, ("setting", "value", "from"))


def values_table(values: dict[str, Any]) -> None:
    """One thing: what is known of it."""
    rows = []
    for name, value in values.items():
        shown = (
            " ".join(value) if isinstance(value, list) else f"{value:,}" if type(value) is int else str(value)
        )
        rows.append((name.replace("_", " "), shown))
    print_table(rows, ("", ""), headed=False)


def print_table(
    rows: Iterable[Sequence[str]],
    headings: Sequence[str],
    *,
    right: Sequence[str] = (),
    headed: bool = True,
) -> None:
    """A row is a line unless a terminal is too narrow for it; no cell is read as markup.

    Args:
        right: the headings of the columns that end at the right.
        headed: show the headings.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=headed)
    for heading in headings:
        table.add_column(heading, overflow="fold", justify="right" if heading in right else "left")
    for row in rows:
        table.add_row(*map(printable, row))
    console = stdout_console()
    if not console.is_terminal:
        console.width = UNFOLDED  # a script reads lines: a row is one, however long
    with stdout():
        console.print(table)
