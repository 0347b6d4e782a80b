import pytest

from dmdoc.answer.statements import Statement
from dmdoc.answer.weighing import FAR, WEIGHTS, Asked, Measures, weigh
from dmdoc.text.candidates import Candidate

TEXT = "In Lund the barge Sorrel was built by Hanna Brekke."


def measured(phrase: str, question: str = "Who built the barge Sorrel?", free: str = "") -> Measures:
    start = TEXT.index(phrase)
    candidate = Candidate(start, start + len(phrase), phrase)
    return Asked(question, free).measure(candidate, Statement(0, 1, 0, TEXT, rank=0.5), -0.25)


def test_a_phrase_is_measured_by_the_state_and_by_its_place() -> None:
    # built is 2 words away, Sorrel 4, barge 5
    found = measured("Hanna Brekke")
    assert found._replace(distance=0) == Measures(-0.25, 0.0, 0.5, words=2, distance=0, kind=True)
    assert found.distance == pytest.approx((2 + 4 + 5) / 3 / FAR)
    assert measured("Lund").distance == pytest.approx((2 + 3 + 5) / 3 / FAR)


def test_likeness_is_to_the_free_answer_whatever_its_case() -> None:
    assert measured("Hanna Brekke", free="HANNA BREKKE").likeness == 1
    assert 0 < measured("Hanna Brekke", free="Hannah").likeness < 1


def test_where_no_other_word_is_shared_the_distance_is_the_farthest() -> None:
    assert measured("Lund", question="Wo?").distance == 1


def test_forms_of_a_word_count() -> None:
    assert measured("Lund", question="Are barges there?").distance == pytest.approx(2 / FAR)


def test_the_likelier_the_nearer_and_the_shorter_the_better() -> None:
    one = measured("Hanna Brekke")
    assert weigh(one) == pytest.approx(sum(w * v for w, v in zip(WEIGHTS, one, strict=True)))
    for better in (
        one._replace(likelihood=0),
        one._replace(likeness=1),
        one._replace(rank=1),
        one._replace(words=1),
        one._replace(distance=0),
    ):
        assert weigh(better) > weigh(one)
    assert weigh(one._replace(kind=0)) < weigh(one)
