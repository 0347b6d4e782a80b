"""Words that are forms of one."""

from itertools import combinations

import pytest

from dmdoc.text.words import FORMS, alike


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
