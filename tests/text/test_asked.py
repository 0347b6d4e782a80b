from typing import get_args

import pytest

from dmdoc.text.asked import (
    Kind,
    cannot_answer,
    fits_kind,
    form_asked,
    is_of_strangers,
    is_small_talk,
    kind_asked,
    naming_words,
    speaks_of,
    things_asked,
    without_request,
)


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
        ("How much does it weigh?", "weight"),
        ("How long is the guarantee?", "long"),
        ("How wide is it?", "length"),
        ("At what temperature does it boil?", "heat"),
        ("How often must it be cleaned?", "often"),
        ("What percentage is salt?", "number"),
        ("Where does it leave from?", "place"),
        ("In which small town is it?", "place"),
        ("What does it carry?", "thing"),
        ("What is the skipper's berth number?", "number"),
        ("What is Hanna's age?", "number"),
        ("What's the fare?", "money"),
        ("What is the total of the bill?", "money"),
        ("What is the total weight?", "weight"),
        ("What is the harbour master's telephone number?", "code"),
        ("What is the phone number of the pilot?", "code"),
        ("What is the password of the router?", "code"),
        ("What is the pilot's e-mail address?", "mail"),
        ("What is the registration fee?", "money"),
        ("What was the mileage?", "length"),
        ("What is the skipper's name?", "thing"),
        ("What is the club going to pay for the boat?", "money"),
        ("What did the works spend on the hall?", "money"),
        ("What's the fine for a late book?", "money"),
        ("What is the deadline for entries?", "time"),
        ("How soon is the deposit paid back?", "long"),
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
        ("Hanna Brekke", {"person", "thing"}),
        ("Room 4", {"place", "code", "thing"}),
        ("back gate", {"place", "thing"}),
        ("12 June 2023", {"time"}),
        ("1931", {"time"}),
        ("July", {"time"}),
        ("ada@port.example", {"mail"}),
        ("23rd", {"time"}),
        ("23rd floor", {"place", "thing"}),
        ("Miss Quill", {"person", "thing"}),
        ("07:50", set()),
        ("420 crowns", {"money", "number"}),
        ("1,968.00", {"count", "number", "code"}),
        ("1,968 kg", {"number", "weight"}),
        ("180 \N{DEGREE SIGN}C", {"number", "heat"}),
        ("50 minutes", {"number", "long"}),
        ("12 cm", {"number", "long", "length"}),
        ("every two weeks", {"often"}),
        ("twenty-two", {"count", "number", "code"}),
        ("Port of Lund", {"person", "thing"}),
        ("Lund bridge", {"place", "thing"}),
        ("dark green", {"thing"}),
        ("\u2026", {"thing"}),
    ],
)
def test_what_a_phrase_looks_like(phrase: str, kinds: set[str]) -> None:
    assert {kind for kind in get_args(Kind) if fits_kind(phrase, kind) == 1} == kinds
    assert fits_kind(phrase, None) == 1


def test_a_date_answers_when_better_than_a_time_of_day() -> None:
    assert 0 < fits_kind("07:50", "time") < fits_kind("8 April", "time") == 1


def test_what_is_free_has_a_price() -> None:
    assert fits_kind("free", "money") == fits_kind("no charge", "money") == 1
    assert fits_kind("free", "person") == 0


def test_what_stands_at_a_place_is_better_where_one_is_asked_for() -> None:
    assert fits_kind("Lund", "place", "She lives in ") == 1 > fits_kind("Lund", "place", "She met ") > 0
    assert (
        fits_kind("old mill", "place", "It meets at the ") == 1 > fits_kind("old mill", "place", "It has an ")
    )
    assert fits_kind("May", "place", "It meets in ") == 0


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
        ("Why was the bridge closed?", "reason"),
        ("How many boats are there?", "count"),
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


@pytest.mark.parametrize(
    "line", ["Hello!", "ok", "OK, thanks", "Thank you very much.", "good morning", "Great, bye!"]
)
def test_small_talk_is_known(line: str) -> None:
    assert is_small_talk(line)


@pytest.mark.parametrize("line", ["Hello, who wrote it?", "rent", "Is that good?", "Good Friday", "okra", ""])
def test_what_asks_something_is_no_small_talk(line: str) -> None:
    assert not is_small_talk(line)


@pytest.mark.parametrize(
    ("question", "about"),
    [
        ("List all customers", " all customers"),
        ("Please give me the phone numbers.", " the phone numbers."),
        ("Can you tell us about the ponds?", " the ponds?"),
        ("Name of the captain?", "Name of the captain?"),
        ("What is on the list?", "What is on the list?"),
        ("Show of hands?", "Show of hands?"),
    ],
)
def test_what_asks_for_an_answer_as_such_is_no_part_of_what_it_is_about(question: str, about: str) -> None:
    assert without_request(question) == about


def test_a_summary_names_its_document() -> None:
    assert naming_words("Please give me a short summary of the lease") == "please lease"
    assert naming_words("What is this document about?") == ""


@pytest.mark.parametrize(
    ("question", "phrase", "cannot"),
    [
        ("How old is Ada?", "Dear Ada", True),
        ("How old is Ada?", "forty", False),
        ("When does it leave?", "Took", True),
        ("When must it be paid?", "within 14 days", False),
        ("Who is Ada?", "skipper", False),
        ("How does it sail?", "well", False),
        ("How often does it sail?", "twice a week", False),
        ("How often does it sail?", "on Mondays", False),
        ("How often does it sail?", "in 1937", True),
        ("How often does it sail?", "slowly", True),
        ("Where does it sail?", "in 1937", True),
        ("Where does it sail?", "12 crowns", True),
        ("Where does it sail?", "Mr Olsen", True),
        ("Where does it sail?", "the mill", False),
        ("In which town is it?", "in 1937", False),
    ],
)
def test_what_is_of_another_kind_cannot_answer(question: str, phrase: str, cannot: bool) -> None:
    assert cannot_answer(phrase, question) == cannot


def test_what_is_asked_about_is_told_from_what_is_wanted_of_it() -> None:
    assert things_asked("How much does the ferry cost?") == ["ferry"]
    assert things_asked("What is the price of a ticket?") == ["ticket"]
    assert things_asked("When is it?") == []
    assert speaks_of("Two ferries", ["ferry"]) is speaks_of("Salt", []) is True
    assert not speaks_of("Salt", ["ferry"])


@pytest.mark.parametrize(
    ("question", "strange"),
    [
        ("Who is the captain of the Halcyon?", True),
        ("Who is the captain of the Sorrel?", False),
        ("Who sold the Sorrel to Halcyon Lines?", False),
        ("Who is the captain?", False),
        ("What happens on Monday in May?", False),
        ("Is there Wi-Fi on the Sorrels?", False),
        ("Where is Ada's dog?", True),
        ("Halcyon: who sails it?", False),
    ],
)
def test_a_question_of_nobody_in_the_text(question: str, strange: bool) -> None:
    assert is_of_strangers(question, ("sorrel", "The Sorrels have wifi. Olsen is captain.")) == strange
