"""Tables: CSV, TSV, and the rows of spreadsheets."""

from pathlib import Path

import pytest
from linear import assert_linear

from dmdoc.document import Limits, read_document
from dmdoc.document.rows import read, rows_text
from dmdoc.document.source import Source
from dmdoc.errors import ExtractionError


def pages(content: str, name: str = "a.csv") -> tuple[str, ...]:
    return read(Source(content.encode(), name)).pages


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_row_can_be_read_alone(delimiter: str) -> None:
    table = "Station,Opened,Master\nFerrow,1902,G. Pell\nMarl,,K. Anstey\n".replace(",", delimiter)
    assert pages(table) == (
        "- Station: Ferrow; Opened: 1902; Master: G. Pell\n- Station: Marl; Master: K. Anstey",
    )


def test_a_decimal_comma_is_no_delimiter() -> None:
    assert pages("Lot;Price\nseven;3,50\nnine;4,75\n") == (
        "- Lot: seven; Price: 3,50\n- Lot: nine; Price: 4,75",
    )


def test_quoted_cells_may_hold_anything() -> None:
    assert pages('Name,Note\n"Brack, O.","two\nlines; ""quoted"""\n') == (
        '- Name: Brack, O.; Note: two lines; "quoted"',
    )


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([["1", "2"], ["3", "4"]], "- 1 | 2\n- 3 | 4"),
        ([["a", "a"], ["b", "c"]], "- a | a\n- b | c"),
        (
            [["Stations of the Dene"], [], ["Name", "Year"], ["Marl", "1902", "more"]],
            "Stations of the Dene\n- Name: Marl; Year: 1902; more",
        ),
        ([["Name", "Year"]], "Name | Year"),
        ([["only"], ["cells"]], "only\ncells"),
        ([], ""),
    ],
)
def test_headings_are_told_from_rows(rows: list[list[str]], text: str) -> None:
    assert rows_text(rows, Source(b"", "a")) == text


def test_a_file_is_a_table_by_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("Name\tYear\nMarl, E.\t1902\n", encoding="utf-8")
    document = read_document(str(tmp_path / "a.tsv"))
    assert (document.text, document.reader) == ("- Name: Marl, E.; Year: 1902", "csv")


@pytest.mark.parametrize("piece", ['"', ",", 'a,"b\n', "a,b\n", '""', "\n"])
def test_time_is_linear(piece: str) -> None:
    assert_linear(lambda data: read(Source(data, "a.csv")), lambda n: b"Name,Year\n" + piece.encode() * 5 * n)


def test_headings_that_would_be_told_too_often_are_refused() -> None:
    table = f"{'long ' * 2000},Lot\n" + "a,b\n" * 2000
    with pytest.raises(ExtractionError, match="more than the 1 MB of text"):
        read(Source(table.encode(), "a.csv", limits=Limits(text=1 << 20)))
