"""The row of a table that has the most or the least of what is asked for."""

import pytest

from dmdoc.answer.extremes import extreme, value
from dmdoc.answer.quoting import quote
from dmdoc.answer.statements import statements
from dmdoc.text.asked import form_asked

KILNS = """Kilns of the pottery

Kiln | Potter | Capacity (litres) | Firings 2023 | Firings 2024 | Built
Aster | Noor Vale | 1,250 | 14 | 31 | 1998
Birch | Tomas Reed | 900 | 22 | 19 | 2011
Cedar | Ilse Marr | 2,400 | 9 | 12 | 1987

The pottery has a shop.
"""
TRIPS = """Trip | Length | Price | Leaves
Lake round | 12 km | 8,50 EUR | 14:10
Mill path | 4.5 km | 12 EUR | 9:40
Ridge | 21 km | 12 EUR | 10:05
"""


def answer(text: str, question: str) -> str:
    assert form_asked(question) == "phrase"
    return quote("phrase", question, statements([text], [0])).text


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("Which kiln has the largest capacity?", "Cedar"),
        ("Which kiln is the largest?", "Cedar"),
        ("Which kiln has the smallest capacity?", "Birch"),
        ("Which kiln is the oldest?", "Cedar"),
        ("Which is the newest kiln?", "Birch"),
        ("Which kiln had the most firings in 2024?", "Aster"),
        ("Which kiln had the fewest firings in 2023?", "Cedar"),
        ("Which potter has the kiln with the highest capacity?", "Ilse Marr"),
        ("What is the largest capacity of a kiln?", "2,400"),
        ("Which kiln had the most firings?", ""),  # of which year?
        ("Which kiln of Tomas Reed is the largest?", ""),  # a condition besides
        ("Which kiln is the second largest?", ""),
        ("Which kiln is the heaviest?", ""),
        ("Who owns the kilns?", ""),
    ],
)
def test_columns_of_numbers_are_compared(question: str, right: str) -> None:
    assert answer(KILNS, question) == right


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("Which trip is the longest?", "Ridge"),
        ("What is the shortest trip?", "Mill path"),
        ("Which trip is the cheapest?", "Lake round"),
        ("What is the lowest price?", "8,50 EUR"),
        ("How long is the longest trip?", "21 km"),
        ("How much is the cheapest trip?", "8,50 EUR"),
        ("When does the first trip leave?", "9:40"),
        ("Which trip leaves first?", "Mill path"),
        ("Which trip leaves last?", "Lake round"),
        ("Which trip is the most expensive?", ""),  # two cost the same
    ],
)
def test_units_prices_and_times_are_compared(question: str, right: str) -> None:
    assert answer(TRIPS, question) == right


def test_rows_may_name_their_columns_each() -> None:
    text = (
        "- Hall: North; Seats: 140; Built: 1931\n- Hall: South; Seats: 95; Built: 1950\n\nTickets: 9 crowns"
    )
    assert answer(text, "Which hall has the most seats?") == "North"
    assert answer(text, "Which hall is the newest?") == "South"
    assert answer(text, "What is the cheapest ticket?") == ""


def test_the_cell_that_answers_has_its_place() -> None:
    found = extreme("Which kiln is the oldest?", statements([KILNS], [0]))
    assert found is not None and found.rows == 3
    assert found.row.text[slice(*found.cell)] == "Cedar"
    assert KILNS[found.row.start :].startswith("Cedar | Ilse")


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1,250", 1250),
        ("1,250.5", 1250.5),
        ("12,9", 12.9),
        ("1.250.000", 1250000),
        ("-3 °C", -3),
        ("€ 40.", 40),
        ("EUR 7.5", 7.5),
        ("85 %", 85),
        ("14:10", 850),
        ("2024-03-11", 738956),
        ("2024-13-11", None),
        ("about 12", None),
        ("12 to 14", None),
        ("n/a", None),
        ("", None),
    ],
)
def test_what_a_cell_comes_to(cell: str, number: float | None) -> None:
    assert value(cell) == number
