import pytest

from dmdoc.datasets import Question, QuestionedDocument, swap_values
from dmdoc.errors import UsageError


def document(text: str, *questions: Question) -> QuestionedDocument:
    return QuestionedDocument("lots", (text,), questions)


def test_values_that_look_alike_change_places() -> None:
    asked = (
        Question("Who keeps lot 1?", ("Ada Brook",), section=0, offset=0),
        Question("How long is lot 1?", ("12 metres",)),
        Question("Who keeps lot 2?", ("Tom Mill",)),
        Question("How long is lot 2?", ("340 metres",)),
        Question("What is it made of?", ("oak",)),
    )
    text = "Ada Brook keeps lot 1, 12 metres of oak. Tom Mill keeps lot 2: 340 metres."
    swapped = swap_values(document(text, *asked))

    assert swapped.text == "Tom Mill keeps lot 1, 340 metres of oak. Ada Brook keeps lot 2: 12 metres."
    assert [(item.answers, item.superseded) for item in swapped.questions] == [
        (("Tom Mill",), "Ada Brook"),
        (("340 metres",), "12 metres"),
        (("Ada Brook",), "Tom Mill"),
        (("12 metres",), "340 metres"),
    ]
    assert all(swapped.position(item) is not None for item in swapped.questions)


def test_an_attribute_counts_more_than_looks() -> None:
    asked = tuple(
        Question(f"{attribute} of {thing}?", (value,), attribute=attribute)
        for thing, attribute, value in (
            ("a", "builder", "Ada"),
            ("a", "skipper", "Tom"),
            ("b", "builder", "Eve"),
            ("b", "skipper", "Max"),
        )
    )
    swapped = swap_values(document("a: Ada, Tom. b: Eve, Max.", *asked))
    assert swapped.text == "a: Eve, Max. b: Ada, Tom."


def test_a_number_is_not_found_inside_another() -> None:
    asked = (Question("How many lots?", ("12",)), Question("How many halls?", ("34",)))
    swapped = swap_values(document("12 lots, 34 halls, 1,12 and 34.5 and 127.", *asked))
    assert swapped.text == "34 lots, 12 halls, 1,12 and 34.5 and 127."


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("Salt in lot 1, brine in lot 2, salt in lot 3.", ("In 1?", "salt"), ("In 2?", "brine")),
        ("salt in lot 1, 7 in lot 2.", ("In 1?", "salt"), ("In 2?", "7")),
        ("salt in lot 1, brine in lot 2.", ("In 1, with brine?", "salt"), ("In 2?", "brine")),
    ],
    ids=["twice in the text", "not alike", "in a question"],
)
def test_where_nothing_can_be_exchanged_it_says_so(
    text: str, first: tuple[str, str], second: tuple[str, str]
) -> None:
    asked = [Question(question, (answer,)) for question, answer in (first, second)]
    if text.startswith("Salt"):
        asked = asked[:1]
    with pytest.raises(UsageError, match="no two answers of the document can be exchanged"):
        swap_values(document(text.replace("Salt", "salt"), *asked))
