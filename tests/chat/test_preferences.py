import pytest

from dmdoc.chat.preferences import PAIR, Preferences
from dmdoc.errors import UsageError


def test_the_order_changes_from_turn_to_turn_and_is_the_same_for_the_same_seed() -> None:
    first, again, other = ([each.draw_order() for _ in range(20)] for each in map(Preferences, (3, 3, 4)))
    assert first == again != other
    assert set(first) == {PAIR, PAIR[::-1]}


def test_a_preference_is_of_the_last_turn_and_the_last_word_counts() -> None:
    preferences = Preferences()
    preferences.add("One?", ("state", "frozen"))
    preferences.add("Two?", ("frozen", "state"))
    assert preferences.prefer("a") == "frozen"
    assert preferences.prefer("b") == "state"
    assert [turn.preferred for turn in preferences.turns] == [None, "state"]


def test_there_must_be_something_to_prefer_and_it_is_a_or_b() -> None:
    preferences = Preferences()
    with pytest.raises(UsageError, match="no two answers to choose from"):
        preferences.prefer("a")
    with pytest.raises(UsageError, match="takes a or b, got 'state'"):
        preferences.prefer("state")


def test_the_report_counts_and_lists_the_turns() -> None:
    preferences = Preferences()
    assert preferences.report() == ""
    preferences.add("One\nand two?", ("state", "frozen"))
    preferences.prefer("a")
    preferences.add("Three?", ("frozen", "state"))
    assert preferences.report() == (
        "2 questions answered twice; preferred: state 1, frozen 0, not judged 1\n"
        "  state       One and two?\n"
        "  not judged  Three?"
    )
