"""Pages of different make, drawn here: the order in which their words are read, and their tables."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap

import pytest
from linear import assert_linear
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Frame,
    ListFlowable,
    PageTemplate,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
)
from sample_pdf import SAMPLES

from dmdoc.document import Document, read_document
from dmdoc.document.layout import arrange
from dmdoc.document.placed import Word

CASES = Path(__file__).parent.parent / "cases"
WORDS = (SAMPLES / "halvorsen-report.txt").read_text(encoding="utf-8").replace("\f", "\n").split()
FIRST, SECOND, THIRD = (" ".join(WORDS[start : start + 90]) for start in (0, 200, 400))
BODY = getSampleStyleSheet()["BodyText"]
JUSTIFIED = ParagraphStyle("justified", BODY, alignment=4)


def read(path: Path) -> Document:
    return read_document(str(path))


def flat(text: str) -> str:
    """The text without its line ends, and without what depends on where its lines end."""
    return "".join(text.split())


def in_order(text: str, *pieces: str) -> bool:
    places = [flat(text).find(flat(piece)) for piece in pieces]
    return -1 not in places and places == sorted(places)


def rowwise(
    path: Path, columns: Sequence[str], *, width: int = 32, step: int = 230, offset: float = 0
) -> None:
    """Columns that are drawn line by line beside one another."""
    canvas = Canvas(str(path), pagesize=A4)
    canvas.setFont("Helvetica", 10)
    for row, lines in enumerate(zip_longest(*(wrap(column, width) for column in columns), fillvalue="")):
        for column, line in enumerate(lines):
            canvas.drawString(60 + step * column, 760 - 13 * row - offset * column, line)
    canvas.save()


@pytest.mark.parametrize("offset", [0, 4, 6.5])
def test_two_columns_drawn_row_by_row(tmp_path: Path, offset: float) -> None:
    rowwise(tmp_path / "a.pdf", [FIRST, SECOND], offset=offset)
    document = read(tmp_path / "a.pdf")
    assert in_order(document.text, FIRST, SECOND)
    assert document.warnings == ()


def test_three_columns_of_unequal_length(tmp_path: Path) -> None:
    short = " ".join(THIRD.split()[:40])
    rowwise(tmp_path / "a.pdf", [FIRST, SECOND, short], width=26, step=165)
    assert in_order(read(tmp_path / "a.pdf").text, FIRST, SECOND, short)


def test_a_first_column_that_is_shorter(tmp_path: Path) -> None:
    short = " ".join(FIRST.split()[:30])
    rowwise(tmp_path / "a.pdf", [short, SECOND])
    assert in_order(read(tmp_path / "a.pdf").text, short, SECOND)


def test_columns_under_a_title_and_above_a_line_of_the_page(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=A4)
    canvas.setFont("Helvetica-Bold", 18)
    canvas.drawString(60, 790, "What the parish of Wexcombe owns and lends out")
    canvas.setFont("Helvetica", 10)
    for row, lines in enumerate(zip(wrap(FIRST, 40), wrap(SECOND, 40), strict=False)):
        for column, line in enumerate(lines):
            canvas.drawString(60 + 240 * column, 750 - 13 * row, line)
    canvas.drawString(
        60, 60, "Printed by the office of the parish, which answers for its errors and nothing else."
    )
    canvas.save()
    text = read(tmp_path / "a.pdf").text
    shown = [
        " ".join(wrap(part, 40)[: len(list(zip(wrap(FIRST, 40), wrap(SECOND, 40), strict=False)))])
        for part in (FIRST, SECOND)
    ]
    assert in_order(text, "What the parish of Wexcombe owns and lends out", *shown, "Printed by the office")


def test_columns_of_a_typesetter_on_three_pages_with_running_heads(tmp_path: Path) -> None:
    def head(canvas: Canvas, document: BaseDocTemplate) -> None:
        canvas.drawString(60, 810, "The Wexcombe Review")
        canvas.drawRightString(535, 810, f"page {document.page}")

    frames = [Frame(50, 60, 240, 700), Frame(305, 60, 240, 700)]
    document = BaseDocTemplate(str(tmp_path / "a.pdf"), pagesize=A4)
    document.addPageTemplates(PageTemplate(frames=frames, onPage=head))
    story = [" ".join(WORDS[start : start + 90]) for start in range(0, 24 * 17, 17)]
    document.build([Paragraph(text, JUSTIFIED) for text in story])
    found = read(tmp_path / "a.pdf")
    assert len(found.pages) == 3
    # Each page begins and ends inside a paragraph.
    assert in_order(found.text, *(" ".join(text.split()[:12]) for text in story))
    assert in_order("\n".join(found.pages), *story[:3])
    assert "Review" not in found.text


def test_a_ruled_table_with_cells_of_several_lines(tmp_path: Path) -> None:
    cells = [
        ["Lot", "What it is", "Buyer"],
        ["7", "A pump that was taken from the old works and has lain in the yard for eleven years", "Brack"],
        ["8", "", "A buyer whose name is longer than the column in which it has to stand"],
    ]
    table = Table(
        [[Paragraph(cell, BODY) for cell in row] for row in cells],
        colWidths=[50, 200, 150],
        style=[("GRID", (0, 0), (-1, -1), 0.5, colors.black), ("VALIGN", (0, 0), (-1, -1), "MIDDLE")],
    )
    SimpleDocTemplate(str(tmp_path / "a.pdf"), pagesize=A4).build(
        [Paragraph(FIRST, BODY), table, Paragraph(SECOND, BODY)]
    )
    document = read(tmp_path / "a.pdf")
    rows = "\n".join(" | ".join(row) for row in cells).replace("|  |", "| |")
    assert f"\n\n{rows}\n\n" in document.text
    assert in_order(document.text, FIRST, SECOND)
    assert document.warnings == ()


def test_an_unruled_table_with_empty_cells_between_paragraphs(tmp_path: Path) -> None:
    cells = [
        ["Station", "Opened", "Master"],
        ["Marl", "", "K. Anstey"],
        ["Ferrow", "1902", ""],
        ["Dene", "1911", "R. Oake"],
    ]
    SimpleDocTemplate(str(tmp_path / "a.pdf"), pagesize=A4).build(
        [Paragraph(FIRST, JUSTIFIED), Table(cells), Paragraph(SECOND, JUSTIFIED)]
    )
    text = read(tmp_path / "a.pdf").text
    assert (
        "\n\nStation | Opened | Master\nMarl | | K. Anstey\nFerrow | 1902 |\nDene | 1911 | R. Oake\n\n"
        in text
    )
    assert in_order(text, FIRST, "Station", SECOND)


def test_a_table_below_a_ruled_one_and_a_short_line(tmp_path: Path) -> None:
    grid = [("GRID", (0, 0), (-1, -1), 0.5, colors.black)]
    prices = [["Item", "Price"], ["Oil", "12.40"], ["Wick", "0.35"], ["Prism", "88.00"]]
    story = [
        Table([["Station", "Opened", "Lamps"], ["Marl", "1902", "3"], ["Dene", "1911", "5"]], style=grid),
        Spacer(1, 30),
        Paragraph("Prices of supplies follow.", BODY),
        Table(prices, colWidths=[120, 80]),
        Paragraph("End.", BODY),
    ]
    SimpleDocTemplate(str(tmp_path / "a.pdf"), pagesize=A4).build(story)
    assert read(tmp_path / "a.pdf").text == (
        "Station | Opened | Lamps\nMarl | 1902 | 3\nDene | 1911 | 5\n\nPrices of supplies follow.\n\n"
        "Item | Price\nOil | 12.40\nWick | 0.35\nPrism | 88.00\n\nEnd."
    )


def test_hyphens_at_the_line_ends_of_columns(tmp_path: Path) -> None:
    lines = ["the barge was repa-", "ired in the dock of", "Marl, which is an", "old and quiet town"]
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=A4)
    for row, line in enumerate(lines * 2):
        canvas.drawString(60, 760 - 13 * row, line)
        canvas.drawString(290, 760 - 13 * row, line)
    canvas.save()
    said = "the barge was repaired in the dock of Marl, which is an old and quiet town"
    assert read(tmp_path / "a.pdf").text.replace("\n", " ").count(said) == 4


def test_the_table_of_the_case() -> None:
    assert read(CASES / "table.pdf").text == (
        "Stations of the Dene Valley Railway\n\nStation | Opened | Master\nFerrow | 1902 | G. Pell\n"
        "Marl | | K. Anstey\nUpper Dene | 1911 | R. Oake"
    )


def test_a_cell_that_goes_on_without_rules_is_put_together_and_doubted(tmp_path: Path) -> None:
    description = "A pump that was taken from the works and has lain in the yard for eleven years"
    cells = [[str(lot), Paragraph(description, BODY)] for lot in (7, 8, 9)]
    table = Table(cells, colWidths=[60, 200], style=[("VALIGN", (0, 0), (-1, -1), "TOP")])
    SimpleDocTemplate(str(tmp_path / "a.pdf"), pagesize=A4).build([table])
    document = read(tmp_path / "a.pdf")
    assert document.text == "\n".join(f"{lot} | {description}" for lot in (7, 8, 9))
    assert document.warnings == ("columns may be mixed on page 1",)


def test_lists_with_a_hanging_indent_are_no_tables(tmp_path: Path) -> None:
    items = [" ".join(WORDS[start : start + 30]) for start in (0, 100, 200)]
    story = [ListFlowable([Paragraph(item, BODY) for item in items], bulletFormat="%s.", leftIndent=24)]
    SimpleDocTemplate(str(tmp_path / "a.pdf"), pagesize=A4).build(story)
    text = read(tmp_path / "a.pdf").text
    assert " | " not in text
    assert in_order(text, *(f"{number}. {item}" for number, item in enumerate(items, start=1)))


def test_contents_are_a_table_of_titles_and_pages(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=A4)
    for row, (title, page) in enumerate(
        [("The works", "3"), ("Brine and its uses", "17"), ("Accounts", "120")]
    ):
        canvas.drawString(72, 760 - 16 * row, title)
        canvas.drawRightString(520, 760 - 16 * row, page)
    canvas.save()
    assert read(tmp_path / "a.pdf").text == "The works | 3\nBrine and its uses | 17\nAccounts | 120"


def test_prose_is_left_as_it_was_drawn(tmp_path: Path) -> None:
    SimpleDocTemplate(str(tmp_path / "a.pdf"), pagesize=A4).build(
        [Paragraph(text, JUSTIFIED) for text in (FIRST, SECOND)]
    )
    text = read(tmp_path / "a.pdf").text
    assert " | " not in text
    assert in_order(text, FIRST, SECOND)


def test_slanted_pages_are_left_as_they_were_drawn(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=A4)
    canvas.rotate(20)
    for row in range(4):
        canvas.drawString(300, 500 - 16 * row, f"Row {row} of it")
        canvas.drawString(450, 500 - 16 * row, f"and {row} more")
    canvas.save()
    assert "Row 0 of it" in read(tmp_path / "a.pdf").text


@pytest.mark.slow
def test_time_is_linear_in_the_words() -> None:
    def columns(rows: int) -> list[Word]:
        return [Word("word", x, x + 40, -12.0 * row, 10) for row in range(rows) for x in (0, 43, 120, 163)]

    def alternating(rows: int) -> list[Word]:
        return [Word("word", 60 * (row % 7), 60 * (row % 7) + 50, -12.0 * row, 10) for row in range(rows)]

    for make in (columns, alternating):
        assert_linear(arrange, make)
