"""What speaks of the opposite of what is asked."""

import pytest

from dmdoc.text.opposites import contradicts, mentions, outdated


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("When does the lease end?", "The lease begins on 1 April 2024."),
        ("When does registration open?", "Registration closes on 20 May."),
        ("Who bought the car?", "Seller: Nils Amdal"),
        ("Who is the employer?", "The employee is Ada Quill."),
        ("When does the boat arrive?", "The boat leaves at 7:50."),
        ("What is the maximum charge?", "The minimum charge is 40 euros."),
        ("What is the maximum charge?", "The charge is 40 euros."),
        ("What was the previous rent?", "The rent is 420 crowns."),
        ("When is the last boat?", "The first boat is at 7:50."),
        ("How deep is the lake?", "The race across the lake is 1,900 metres."),
    ],
)
def test_the_opposite_of_what_is_asked_contradicts(question: str, said: str) -> None:
    assert contradicts(question, said)
    assert not mentions(question, said)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("When does the lease end?", "The lease begins in May and ends in June."),
        ("When does the lease begin?", "The flat is let from 1 April until 31 March."),
        ("How long does the battery last?", "The battery runs for three hours."),
        ("What is the maximum charge?", "The charge is at most 40 euros."),
        ("When did the sale start and when did it end?", "It started in May."),
        ("Who bought the car?", "Buyer: Carla Strand"),
        ("What is the rent?", "The first rent is 420 crowns."),
        ("How large was the crew?", "She had a crew of eleven."),
        ("How deep is the lake?", "The depth of the lake is 9 metres."),
    ],
)
def test_what_says_what_is_asked_does_not(question: str, said: str) -> None:
    assert not contradicts(question, said)


def test_every_opposite_contradicts_either_way() -> None:
    assert contradicts("Who is the landlord?", "The tenant is Hauge.")
    assert contradicts("Who is the tenant?", "The landlord is Olsen.")


@pytest.mark.parametrize(
    ("text", "question", "wrong"),
    [
        ("The fare rises from 4 to 5 crowns.", "What will the fare be?", ["4"]),
        ("The fare rises from 4 to 5 crowns.", "What was the fare before?", ["5"]),
        ("The race was postponed from Monday to Friday.", "On which day is the race now?", ["Monday"]),
        ("The race was postponed from Monday to Friday.", "What was the original day?", ["Friday"]),
        ("The boat sails from Lund to Moss.", "Where will the boat land?", []),
        ("The fare rises from 4 to 5 crowns.", "By how much does the fare rise?", []),
        ("The fare rises from 4 crowns in May.", "What will the fare be?", []),
    ],
)
def test_what_was_does_not_say_what_will_be(text: str, question: str, wrong: list[str]) -> None:
    found = [word for word in text.strip(".").split() if outdated(question, *text.partition(word)[::2])]
    assert found == wrong
