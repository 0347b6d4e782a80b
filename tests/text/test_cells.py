import pytest

from dmdoc.text.cells import enumerated, headings, is_row, split_cells


def cells(line: str, *heads: str) -> list[tuple[str, str]]:
    return [(line[cell.start : cell.end], cell.name) for cell in split_cells(line, heads)]


@pytest.mark.parametrize(
    "line", ["Brannock | 8:30 | 17:15", "Brannock    8:30     17:15", "Brannock\t8:30\t17:15"]
)
def test_a_cell_has_the_heading_of_its_column(line: str) -> None:
    found = [("Brannock", "From"), ("8:30", "Weekdays"), ("17:15", "Sundays")]
    assert cells(line, "From", "Weekdays", "Sundays") == found
    assert cells(line, "Weekdays", "Sundays") == [("Brannock", ""), *found[1:]]
    assert [name for _, name in cells(line)] == ["", "", ""]
    assert is_row(line)


def test_a_row_may_bring_its_headings() -> None:
    assert cells("- item: Wood glue; price: 7.20") == [
        ("Wood glue", "item"),
        ("7.20", "price"),
    ]


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("- Bicycles: 3 euros", "Bicycles", "3 euros"),
        ("owner .... Henry Lund", "owner", "Henry Lund"),
        ("Error E3: it is cold; switch it off.", "Error E3", "it is cold; switch it off."),
    ],
)
def test_a_label_names_what_follows(line: str, name: str, value: str) -> None:
    assert cells(line) == [(value, name)]
    assert not is_row(line)


@pytest.mark.parametrize("line", ["", "The barge leaves at 7:50.", "It is late. Note: go.", "a\nb: c"])
def test_a_sentence_has_no_cells(line: str) -> None:
    assert cells(line) == []


def test_a_row_with_a_number_is_no_headings() -> None:
    assert headings("From | Weekdays") == ("From", "Weekdays")
    assert headings("From | 8:30") == ()


def test_what_enumerates_names_is_several() -> None:
    assert enumerated("Hanna Brekke, Ivo Tarrant and Lise Moe") == 3
    assert [enumerated(one) for one in ("Hanna Brekke", "71,000 crowns, of which some are paid", "")] == [
        1,
        1,
        1,
    ]


def test_a_heading_may_name_a_year_a_quarter_or_a_unit() -> None:
    assert headings("Branch | Sales Q1 (1,000 EUR) | Staff 2024") == (
        "Branch",
        "Sales Q1 (1,000 EUR)",
        "Staff 2024",
    )
    assert headings("Aster | 2011") == headings("Aster | Platform 9") == ()
