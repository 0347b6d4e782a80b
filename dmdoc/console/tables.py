"""Tables on stdout: they are what was asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dmdoc.console import stdout
from dmdoc.console.visible import printable, stdout_console

if TYPE_CHECKING:
    from rich.table import Table

    from dmdoc.library.saved_document import SavedDocument
    from dmdoc.model.registry import ModelStatus

MOST_FOLDED = 1_000
"""Lines of a table that is folded for a narrow terminal: to lay out more takes seconds."""


def documents_table(documents: "Sequence[SavedDocument]") -> None:
    """The saved documents."""
    rows = []
    for saved in documents:
        summary = saved.summary()
        tags, pages, tokens = " ".join(saved.tags), str(saved.page_count), f"{summary.tokens:,}"
        rows.append((saved.name, tags, pages, tokens, summary.model, saved.created, saved.source))
    headings = ("name", "tags", "pages", "tokens", "model", "created", "source")
    print_table(
        rows, headings, right=("pages", "tokens"), spare=("created", "model", "tokens", "source", "pages")
    )


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
    rows = [(name.replace("_", " "), _shown(value)) for name, value in values.items()]
    print_table(rows, ("", ""), headed=False)


def _shown(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def print_table(
    rows: Sequence[Sequence[str]],
    headings: Sequence[str],
    *,
    right: Sequence[str] = (),
    headed: bool = True,
    spare: Sequence[str] = (),
) -> None:
    """A row is a line unless a terminal is too narrow for it; no cell is read as markup.

    Args:
        right: the headings of the columns that end at the right.
        headed: show the headings.
        spare: the headings of columns that a narrow terminal goes without, the first of them first.
    """
    from rich.cells import cell_len

    lines = [[printable(cell) for cell in row] for row in ([headings] if headed else [])]
    lines += [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    console = stdout_console()
    # A script reads lines: a row is one, however long.
    narrow = console.is_terminal and sum(widths) + 2 * len(widths) > console.width
    if narrow and spare:
        kept = [index for index, heading in enumerate(headings) if heading != spare[0]]
        less = [[line[index] for index in kept] for line in rows]
        print_table(less, [headings[index] for index in kept], right=right, headed=headed, spare=spare[1:])
        return
    if narrow and len(lines) <= MOST_FOLDED:
        with stdout():
            console.print(_folded(lines, headings, right, headed))
        return
    ends = [heading in right for heading in headings]
    with stdout() as out:
        for number, line in enumerate(lines):
            padded = (
                " " * (width - cell_len(cell)) + cell if end else cell + " " * (width - cell_len(cell))
                for cell, width, end in zip(line, widths, ends, strict=True)
            )
            text = "  ".join(padded).rstrip()
            if headed and number == 0:
                console.print(text, style="table.header", soft_wrap=True)
            else:
                out.write(f"{text}\n")
        out.flush()


def _folded(
    lines: Sequence[Sequence[str]], headings: Sequence[str], right: Sequence[str], headed: bool
) -> "Table":
    """A table whose cells are folded where the terminal is too narrow."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=headed)
    for heading in headings:
        table.add_column(heading, overflow="fold", justify="right" if heading in right else "left")
    for line in lines[headed:]:
        table.add_row(*line)
    return table
