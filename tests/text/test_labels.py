"""Which labels a question's answer stands behind."""

import pytest

from dmdoc.text.labels import EVENT, fits_label


@pytest.mark.parametrize(
    ("question", "label"),
    [
        ("Who sent the mail?", "From"),
        ("Who wrote this letter to her aunt?", "Author"),
        ("To whom was it sent?", "To"),
        ("Who got a copy of it?", "Cc"),
        ("Who was there?", "Present"),
        ("Who attended the meeting?", "In attendance"),
        ("Who was missing?", "Apologies"),
        ("Who led the meeting?", "Chaired by"),
        ("Who bought it?", "Buyer"),
        ("Who sold it?", "Seller"),
    ],
)
def test_a_label_answers_who(question: str, label: str) -> None:
    assert fits_label(question, label) == 1
    assert fits_label(question, "Price") == 0
    assert fits_label("What does it cost?", label) == 0


def test_a_date_or_a_place_may_be_that_of_something_else() -> None:
    assert fits_label("When was the meeting?", "Date") == fits_label("Where was it?", "Venue") == EVENT
    assert fits_label("Who was there?", "Date") == 0


def test_a_price_may_be_that_of_something_else() -> None:
    assert fits_label("How much do we pay for the berth?", "Price per week") == EVENT
    assert fits_label("How much does the anchor weigh?", "Price per week") == 0
    assert fits_label("How much do we pay for the berth?", "Paid by") == 0


@pytest.mark.parametrize(
    ("question", "label"),
    [
        ("By when does the bill have to be paid?", "Due"),
        ("From what date does the contract run?", "Beginning"),
        ("When does the lease start?", "Start"),
        ("Until when does it run?", "End"),
        ("When does the offer expire?", "Valid until"),
        ("What sum is left as security?", "Caution money"),
        ("How much is that in all?", "Total"),
        ("Who is responsible for the keys?", "Contact"),
    ],
)
def test_what_forms_call_it(question: str, label: str) -> None:
    assert fits_label(question, label) == 1
    assert fits_label("What colour is the door?", label) == 0
