import random

from dmdoc.training.rivals import draw_contest, draw_rivals

TEXT = "The old mill was bought by Ada Brook in 1931. Her brother Tom Brook kept the bakery on Mill Lane."


def test_rivals_are_other_answers_and_phrases_of_the_sentence() -> None:
    drawn = draw_rivals(TEXT, "Who bought it?", "Ada Brook", ["Tom Brook", "ada brook"], 4, random.Random(0))

    assert drawn[0] == "Tom Brook"
    assert len(drawn) == len(set(drawn)) == 4
    assert all(phrase in TEXT[: TEXT.index("Her")] for phrase in drawn[1:])
    assert "ada brook" not in {phrase.lower() for phrase in drawn}


def test_where_the_answer_is_not_in_the_text_the_other_answers_are_left() -> None:
    others = ["1931", "Mill Lane", "1931"]
    drawn = draw_rivals(TEXT, "Who sold it?", "nobody", others, 3, random.Random(0))
    assert sorted(drawn) == ["1931", "Mill Lane"]


PHRASES = [
    ("a barge", 5.0),
    ("Lund", 4.0),
    ("the Barge", 3.0),
    *((f"pier {number}", 2.0) for number in range(20)),
]


def test_a_contest_is_among_the_phrases_of_ask_and_most_of_them_are_the_hardest() -> None:
    drawn = draw_contest(PHRASES, ["The barge", "pier 3"], 10, random.Random(0))

    assert drawn is not None
    right, *rivals = drawn.phrases
    assert drawn.answered and right == ("a barge", 5.0)
    assert len(set(rivals)) == 10
    assert rivals[:7] == [("Lund", 4.0), *PHRASES[3:6], *PHRASES[7:10]]  # another right one is no rival
    assert set(rivals[7:]) <= set(PHRASES[10:])


def test_of_a_question_that_is_left_open_every_phrase_is_wrong() -> None:
    drawn = draw_contest(PHRASES, [], 10, random.Random(0))

    assert drawn is not None
    assert not drawn.answered
    assert drawn.phrases[:7] == tuple(PHRASES[:7])
    assert len(set(drawn.phrases)) == 10


def test_without_a_right_phrase_or_a_wrong_one_there_is_no_contest() -> None:
    assert draw_contest(PHRASES, ["Ostrand"], 10, random.Random(0)) is None
    assert draw_contest(PHRASES[:1], ["barge"], 10, random.Random(0)) is None
