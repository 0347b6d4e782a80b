from typing import get_args

import pytest

from dmdoc.text.asked import Kind, form_asked, is_of_kind, kind_asked


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who built the barge?", "person"),
        ("In what year was it built?", "time"),
        ("When does it leave?", "time"),
        ("How many casks are there?", "number"),
        ("What is the price of a ticket?", "number"),
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
        ("12 June 2023", {"time", "number"}),
        ("1931", {"time", "number"}),
        ("July", {"time", "number"}),
        ("07:50", {"time", "number"}),
        ("420 crowns", {"number"}),
        ("twenty-two", {"number"}),
        ("Port of Lund", {"person", "place", "thing"}),
        ("pier near Lund", {"place", "thing"}),
        ("dark green", {"thing"}),
        ("\u2026", {"thing"}),
    ],
)
def test_what_a_phrase_looks_like(phrase: str, kinds: set[str]) -> None:
    assert {kind for kind in get_args(Kind) if is_of_kind(phrase, kind)} == kinds
    assert is_of_kind(phrase, None)


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
