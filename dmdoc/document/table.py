"""The cells of a table that was drawn → text: a row a line, ` | ` between its cells.

Knows nothing about where on the page they stand.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise


def table_text(lines: Sequence[Sequence[str]], bands: Sequence[int] | None) -> str:
    """The rows of a table.

    Args:
        lines: the cells of each line that was drawn, of which one row may have several.
        bands: for each line the number of its row, if that is known.
    """
    return "\n".join(map(_joined, _by_case(lines) if bands is None else _by_band(lines, bands)))


def _by_band(lines: Sequence[Sequence[str]], bands: Sequence[int]) -> Iterator[list[str]]:
    for _, group in groupby(zip(bands, lines, strict=True), key=lambda pair: pair[0]):
        yield [" ".join(filter(None, column)) for column in zip(*(line for _, line in group), strict=True)]


def _by_case(lines: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """A line without a first cell whose others begin in lower case goes on with the row before."""
    row: list[str] = []
    for line in lines:
        if row and not line[0] and all(cell[0].islower() for cell in line if cell):
            row = [f"{above} {cell}".strip() for above, cell in zip(row, line, strict=True)]
            continue
        if row:
            yield row
        row = list(line)
    yield row


def _joined(cells: Sequence[str]) -> str:
    """A row in one line; a label that ends with a colon stands before its value without more."""
    line = cells[0]
    for before, cell in pairwise(cells):
        line += f" {cell}" if before.endswith(":") else f" | {cell}" if line else f"| {cell}"
    return " ".join(line.split())
