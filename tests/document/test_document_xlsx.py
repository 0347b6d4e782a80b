"""Spreadsheets (XLSX)."""

import sys
import zipfile
from datetime import datetime
from io import BytesIO

import pytest
from openpyxl import Workbook

from dmdoc.document import Limits, read_document
from dmdoc.errors import ExtractionError


def workbook() -> Workbook:
    book = Workbook()
    sheet = book.active
    sheet.title = "Stations"
    sheet.append(["Station", "Opened", "Open", "Share", "Tracks"])
    sheet.append(["Ferrow", datetime(1902, 5, 1), True, 0.25, 3.0])
    sheet.append(["Marl", None, False, None, None])
    sheet["D2"].number_format = "0.0%"
    book.create_sheet("Empty")
    return book


def saved(book: Workbook) -> bytes:
    data = BytesIO()
    book.save(data)
    return data.getvalue()


def test_a_sheet_is_a_page_of_rows_with_their_headings() -> None:
    document = read_document("-", stdin=BytesIO(saved(workbook())))
    assert document.pages == (
        "# Stations\n\n- Station: Ferrow; Opened: 1902-05-01; Open: yes; Share: 25%; Tracks: 3\n"
        "- Station: Marl; Open: no",
        "",
    )
    assert document.reader == "openpyxl"


def test_formulas_without_a_saved_value_are_told() -> None:
    book = workbook()
    book.active["E3"] = "=E2*2"
    book.active["C3"] = "=SUM(E2:E2)"
    document = read_document("-", stdin=BytesIO(saved(book)))
    assert document.warnings[0] == "left out: the values of 2 formulas, which were not saved"


def test_the_size_that_a_sheet_claims_is_not_believed() -> None:
    data, claimed = saved(workbook()), BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as before, zipfile.ZipFile(claimed, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, content.replace(b'ref="A1:E3"', b'ref="A1:XFD1048576"'))
    assert read_document("-", stdin=BytesIO(claimed.getvalue())).text.endswith("Marl; Open: no")


def test_damaged_ones_are_one_line() -> None:
    data, damaged = saved(workbook()), BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as before, zipfile.ZipFile(damaged, "w") as after:
        for name in before.namelist():
            after.writestr(name, b"<x" if name.startswith("xl/worksheets") else before.read(name))
    with pytest.raises(ExtractionError, match="is a damaged spreadsheet"):
        read_document("-", stdin=BytesIO(damaged.getvalue()))


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ExtractionError, match="needs openpyxl"):
        read_document("-", stdin=BytesIO(saved(workbook())))


def test_a_text_that_many_cells_share_counts_in_each_of_them() -> None:
    book = Workbook()
    for _ in range(200):
        book.active.append(["salt " * 1000, "lot"])
    data = saved(book)
    assert len(data) < 20_000
    with pytest.raises(ExtractionError, match="more than the"):
        read_document("-", stdin=BytesIO(data), limits=Limits(text=1 << 19))
