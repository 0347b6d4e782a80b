"""Tables as text (CSV, TSV): a row a line, with the heading before each value, so that a row can be read alone."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from dmdoc.document.source import Extracted, Source
from dmdoc.document.text import decode
from dmdoc.errors import ExtractionError
from dmdoc.text.normalise import normalise_text

_DELIMITERS = ",;\t|"
_LOOKED_AT = 20
"""Lines by which the delimiter is told."""

_NUMBER = re.compile(r"[-+]?[\d.,]*\d[\d.,]*%?")


def read(source: Source) -> Extracted:
    """The rows of the table.

    Raises:
        ExtractionError: it is not text.
    """
    text, encoding = decode(source)
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    delimiter = "\t" if source.suffix == ".tsv" else _delimiter(text)
    try:
        page = rows_text(csv.reader(text.splitlines(keepends=True), delimiter=delimiter), source)
    except csv.Error as error:
        raise ExtractionError(
            f"{source.label} is not a table ({error}); give it another suffix to read it as text"
        ) from error
    return Extracted((normalise_text(page),), "csv" if encoding.startswith("utf") else f"csv ({encoding})")


def rows_text(rows: Iterable[Sequence[str]], source: Source) -> str:
    """A row a line, as `- Heading: value; Heading: value`; what stands above the headings as it is.

    Empty cells are left out: their headings are missing. A table without headings has ` | ` between its cells.

    Raises:
        ExtractionError: with its headings in every row it is more text than `source` may have.
    """
    filled = ([" ".join(cell.split()) for cell in row] for row in rows)
    given = (row for row in filled if any(row))
    above: list[list[str]] = []
    headings: list[str] = []
    for row in given:
        if sum(map(bool, row)) > 1:
            headings = row
            break
        above.append(row)
    first = [" ".join(filter(None, row)) for row in above]
    if _are_headings(headings):
        body = list(_bounded(_with_headings(headings, given), source))
        # Headings alone are all that such a table says.
        lines = body or [" | ".join(headings)]
    else:
        lines = [f"- {' | '.join(row)}" for row in (headings, *given) if row]
    return "\n".join([*first, *lines])


def _are_headings(row: Sequence[str]) -> bool:
    """Whether a first row names the columns: no two the same, and no numbers."""
    named = [cell for cell in row if cell]
    return len(named) > 1 and len(set(named)) == len(named) and not any(map(_NUMBER.fullmatch, named))


def _with_headings(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in rows:
        named = [*headings, *[""] * (len(row) - len(headings))]
        cells = zip(named, row, strict=False)
        yield "- " + "; ".join(f"{name}: {cell}" if name else cell for name, cell in cells if cell)


def _bounded(lines: Iterable[str], source: Source) -> Iterator[str]:
    size = 0
    for line in lines:
        size += len(line)
        source.check_size(size)
        yield line


def _delimiter(text: str) -> str:
    """The delimiter that most of the first lines have equally often."""
    lines = [line for line in islice(text.splitlines(), _LOOKED_AT) if line.strip()]
    best, most = ",", 0
    for delimiter in _DELIMITERS:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if len(row) > 1)
        alike = max(widths.values(), default=0)
        if alike > most:
            best, most = delimiter, alike
    return best
