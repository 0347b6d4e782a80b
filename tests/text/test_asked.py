from typing import get_args

import pytest

from dmdoc.text.asked import Kind, fits_kind, form_asked, kind_asked


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who built the barge?", "person"),
        ("In what year was it built?", "time"),
        ("When does it leave?", "time"),
        ("How many casks are there?", "count"),
        ("What is the price of a ticket?", "money"),
        ("How much is the rent?", "money"),
        ("What do pupils pay for membership?", "money"),
        ("What is the total number of beds?", "count"),
        ("What is the number of fees?", "count"),
        ("What is the total population?", "number"),
        ("How much does it weigh?", "number"),
        ("How long is the guarantee?", "number"),
        ("How often must it be cleaned?", "often"),
        ("What percentage is salt?", "number"),
        ("Where does it leave from?", "place"),
        ("In which small town is it?", "place"),
        ("What does it carry?", "thing"),
        ("How does it sail?", None),
        ("For what reason, and why?", None),
        ("Warum?", None),
        ("", None),
    ],
)
def test_what_a_question_asks_for(question: str, kind: str | None) -> None:
    assert kind_asked(question) == kind


@pytest.mark.parametrize(
    ("phrase", "kinds"),
    [
        ("Hanna Brekke", {"person", "place", "thing"}),
        ("12 June 2023", {"time"}),
        ("1931", {"time"}),
        ("July", {"time"}),
        ("07:50", set()),
        ("420 crowns", {"money", "number"}),
        ("1,968.00", {"count", "number"}),
        ("1,968 kg", {"number"}),
        ("180 \N{DEGREE SIGN}C", {"number"}),
        ("every two weeks", {"often"}),
        ("twenty-two", {"count", "number"}),
        ("Port of Lund", {"person", "place", "thing"}),
        ("pier near Lund", {"place", "thing"}),
        ("dark green", {"thing"}),
        ("\u2026", {"thing"}),
    ],
)
def test_what_a_phrase_looks_like(phrase: str, kinds: set[str]) -> None:
    assert {kind for kind in get_args(Kind) if fits_kind(phrase, kind) == 1} == kinds
    assert fits_kind(phrase, None) == 1


def test_a_date_answers_when_better_than_a_time_of_day() -> None:
    assert 0 < fits_kind("07:50", "time") < fits_kind("8 April", "time") == 1


def test_a_price_without_its_currency_is_better_than_a_date() -> None:
    assert fits_kind("29 April", "money") < fits_kind("7.20", "money") < fits_kind("7.20 euros", "money")


@pytest.mark.parametrize(
    ("question", "form"),
    [
        ("Who built the barge?", "phrase"),
        ("What are the opening hours?", "phrase"),
        ("What is the fuss about the boathouse?", "phrase"),
        ("Is it red or blue?", "phrase"),
        ("Are dogs allowed in the boathouse?", "sentence"),
        ("may bicycles be taken on board?", "sentence"),
        ("Why was the bridge closed?", "sentence"),
        ("List the members of the crew.", "list"),
        ("What are all the fees?", "list"),
        ("What is this about?", "summary"),
        ("What is the document about?", "summary"),
        ("Please summarise the lease.", "summary"),
        ("Warum?", "phrase"),
        ("", "phrase"),
    ],
)
def test_the_form_of_an_answer(question: str, form: str) -> None:
    assert form_asked(question) == form
