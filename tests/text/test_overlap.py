"""Which tokens stand in words of the question."""

from dmdoc.text.overlap import FORM, NONE, SYNONYM, overlap


def ends(*tokens: str) -> list[int]:
    return [sum(map(len, tokens[: number + 1])) for number in range(len(tokens))]


def test_every_token_of_a_word_stands_as_the_word_does() -> None:
    tokens = ("Its", " own", "er", " begins", " work", ",", " 19", "31", ".")
    found = overlap("".join(tokens), ends(*tokens), "When does the owner start, in 1931?")
    assert found == [NONE, FORM, FORM, SYNONYM, NONE, NONE, FORM, FORM, NONE]


def test_words_that_stand_in_every_question_do_not_count() -> None:
    tokens = ("What", " is", " the", " rent")
    assert overlap("".join(tokens), ends(*tokens), "What is the rent?") == [NONE, NONE, NONE, FORM]


def test_a_question_without_telling_words_has_nothing_in_common() -> None:
    assert overlap("Who is it", [3, 6, 9], "Who is it?") == [NONE] * 3


def test_no_tokens() -> None:
    assert overlap("", [], "Which rent?") == []
