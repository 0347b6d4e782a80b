"""Spreadsheets (XLSX), by way of openpyxl: a page a sheet, its name, then its rows as in rows.py.

Formulas give the value that was saved with them; programs that compute none save none. Charts and pictures are left
out.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, time
from io import BytesIO
from typing import Any

from dmdoc.document.archive import Archive
from dmdoc.document.rows import rows_text
from dmdoc.document.source import Extracted, Source, left_out, missing_extra
from dmdoc.errors import ExtractionError
from dmdoc.text.normalise import normalise_text

_DRAWN = {"chart": "xl/charts/chart", "picture": "xl/media/"}
"""How the members begin that hold what is drawn."""

_WITHOUT_VALUE = re.compile(rb"<(?:/f|f\b[^<>]*/)>(?:<v\s*/>|<v></v>)?</c>")
"""How a cell with a formula ends whose value was not saved."""


def read(source: Source) -> Extracted:
    """The rows of all sheets.

    Raises:
        ExtractionError: it is damaged, or openpyxl is not installed.
    """
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise missing_extra(source, "a spreadsheet", "openpyxl") from None
    archive = Archive(source)
    archive.check_xml()
    pages = []
    try:
        book = load_workbook(BytesIO(source.data), read_only=True, data_only=True)
        for sheet in book.worksheets:
            text = rows_text(_rows(sheet), source)
            pages.append(normalise_text(f"# {sheet.title}\n\n{text}" if text else ""))
            source.check_size(sum(map(len, pages)))
    except ExtractionError:
        raise
    except Exception as error:  # openpyxl raises whatever a malformed file leads it to
        raise ExtractionError(f"{source.label} is a damaged spreadsheet ({error}); save it again") from error
    drawn = {what: sum(name.startswith(start) for name in archive.names) for what, start in _DRAWN.items()}
    return Extracted(tuple(pages), "openpyxl", left_out(drawn, _without_values(archive)))


def _without_values(archive: Archive) -> list[str]:
    """What there is to tell of formulas whose values were not saved."""
    sheets = (name for name in archive.names if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name))
    count = sum(len(_WITHOUT_VALUE.findall(archive.read(name))) for name in sheets)
    return (
        [f"the values of {count:,} formula{'s' if count > 1 else ''}, which were not saved"] if count else []
    )


def _rows(sheet: Any) -> Iterator[list[str]]:
    sheet.reset_dimensions()  # what a sheet says of its own size may be millions of cells
    for row in sheet.iter_rows():
        yield [_shown(cell.value, getattr(cell, "number_format", "") or "") for cell in row]


def _shown(value: object, number_format: str) -> str:
    """A value as the sheet shows it, or nearly: dates in ISO 8601, percentages as such."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value * 100:.10g}%" if "%" in number_format else f"{value:.15g}"
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, datetime | date | time):
        return value.isoformat(*([" "] if isinstance(value, datetime) else []))
    return str(value)
