import pytest

from dmdoc.compare.scoring import exact_match, gives_later, word_f1
from dmdoc.text.words import contains, normalise_answer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Salt.", "salt"),
        ("a  tonne, of SALT!", "tonne of salt"),
        ("12 June 2023", "12 june 2023"),
        ("", ""),
    ],
)
def test_answers_are_compared_without_case_articles_and_punctuation(text: str, expected: str) -> None:
    assert normalise_answer(text) == expected


@pytest.mark.parametrize(
    ("given", "right", "exact", "contained", "overlap"),
    [
        ("Salt.", "the salt", True, True, 1.0),
        ("grey salt", "salt", False, True, 2 / 3),
        ("salted", "salt", False, False, 0.0),
        ("salt", "grey salt", False, False, 2 / 3),
        ("", "salt", False, False, 0.0),
    ],
)
def test_how_right_an_answer_is(given: str, right: str, exact: bool, contained: bool, overlap: float) -> None:
    assert exact_match(given, right) is exact
    assert contains(given, right) is contained
    assert word_f1(given, right) == pytest.approx(overlap)


@pytest.mark.parametrize(
    ("given", "superseded", "later"),
    [
        ("The captain is Ada Moor.", "Bo Lund", True),
        ("bo lund", "Bo Lund", False),
        ("Bo Lund, then Ada Moor", "Bo Lund", None),
        ("nobody", "Bo Lund", None),
        ("Ada Moor", None, None),
    ],
)
def test_of_an_updated_value_either_the_later_or_the_earlier_is_given(
    given: str, superseded: str | None, later: bool | None
) -> None:
    assert gives_later(given, ("Captain Moor", "Ada Moor"), superseded) is later
