"""Words that are forms of one."""

from itertools import combinations

import pytest

from dmdoc.text.words import FORMS, alike, names


@pytest.mark.parametrize(
    ("one", "other"),
    [("built", "build"), ("captains", "captain"), ("treasury", "treasurer"), ("laid", "lie")],
)
def test_forms_of_a_word_are_alike(one: str, other: str) -> None:
    assert alike(one, other)
    assert not alike(one, "salt")


def test_likeness_goes_both_ways() -> None:
    for one, other in combinations(FORMS, 2):
        assert alike(one, other) == alike(other, one), (one, other)


def test_names_have_a_capital_or_a_digit() -> None:
    assert names("Who built the Élan of Åbo in 1,931 for the café?") == ["élan", "åbo", "1", "931"]
    assert names("Captains of old ships") == []
