import random

from dmdoc.training.rivals import draw_rivals

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
