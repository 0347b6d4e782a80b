from collections.abc import Sequence

import pytest

from dmdoc.refine.questions import make_questions


def questions(text: str, answer: str, kind: str = "thing") -> list[str]:
    """What asks for `answer`, where every phrase is a thing of this kind."""
    return make_questions(text, lambda phrases: [kind] * len(phrases))[answer].questions


@pytest.mark.parametrize(
    ("text", "answer", "expected"),
    [
        (
            "The trawler Ines was built in 1937.",
            "1937",
            [
                "The trawler Ines was built in when?",
                "In what year the trawler Ines was built?",
                "When was the trawler Ines built?",
                "In which year was the trawler Ines built?",
            ],
        ),
        (
            "The bridge was 40 metres long.",
            "40 metres",
            [
                "The bridge was how many metres long?",
                "How far the bridge was long?",
                "How long was the bridge long?",
                "How high was the bridge long?",
            ],
        ),
        (
            "The harbour holds 22 seals.",
            "22",
            [
                "The harbour holds how many seals?",
                "How many seals the harbour holds?",
                "How many seals did the harbour holds?",
            ],
        ),
        (
            "The salt lies in bay 16.",
            "16",
            [
                "The salt lies in which bay?",
                "What bay the salt lies in?",
                "Which bay did the salt lies in?",
                "What did the salt lies in?",
            ],
        ),
        (
            "They all met on Sunday.",
            "Sunday",
            [
                "They all met on on which day?",
                "On what day they all met?",
                "When did they all met?",
                "Which day did they all met on?",
            ],
        ),
    ],
)
def test_a_question_is_worded_in_several_ways(text: str, answer: str, expected: list[str]) -> None:
    assert questions(text, answer) == expected


@pytest.mark.parametrize(
    ("text", "answer", "kind", "expected"),
    [
        (
            "Ida Roe built the mill.",
            "Ida Roe",
            "person",
            ["Who built the mill?", "Which person built the mill?"],
        ),
        (
            "The yacht was built in Oslo.",
            "Oslo",
            "town",
            [
                "The yacht was built in where?",
                "What town the yacht was built in?",
                "Where was the yacht built?",
                "Which town was the yacht built in?",
            ],
        ),
        (
            "The handle is carved from sandstone.",
            "sandstone",
            "material",
            [
                "The handle is carved from what?",
                "What material the handle is carved from?",
                "Which material is the handle carved from?",
                "What is the handle carved from?",
            ],
        ),
        (
            "The council approved of a plan.",
            "plan",
            "idea",
            [
                "The council approved of what?",
                "What the council approved of?",
                "What did the council approved of?",
            ],
        ),
        ("Then press the blue button.", "blue", "colour", ["Then press what colour button?"]),
    ],
)
def test_people_ask_by_the_kind_of_what_they_seek(
    text: str, answer: str, kind: str, expected: list[str]
) -> None:
    assert questions(text, answer, kind)[: len(expected)] == expected


@pytest.mark.parametrize(
    ("text", "answer", "expected"),
    [
        ("She sails the Ines. Her captain is Ida Roe.", "Ida Roe", "What Ines's captain is?"),
        ("Grey seals came. A baker counted 22 of them.", "22", "How many a baker counted of Grey seals?"),
        ("The Ines sank. The cause was a worn valve.", "worn valve", "What the cause was of Ines?"),
    ],
)
def test_a_question_may_name_what_the_sentences_before_speak_of(
    text: str, answer: str, expected: str
) -> None:
    assert expected in questions(text, answer)


def test_a_quality_is_no_person_and_most_modifiers_are_not_asked_for() -> None:
    assert questions("The hull is large.", "large", "person") == [
        "The hull is what?",
        "What the hull is?",
        "What is the hull?",
    ]
    made = make_questions("Then press the old button.", lambda phrases: ["quality"] * len(phrases))
    assert list(made) == ["press", "old button"]


def test_kinds_are_asked_of_phrases_in_their_sentences_alone() -> None:
    heard: list[tuple[str, str]] = []

    def name_kinds(phrases: Sequence[tuple[str, str]]) -> list[str]:
        heard.extend(phrases)
        return ["thing"] * len(phrases)

    make_questions("The mill of Ida Roe opened in 1911. A cook sold it for 40 crowns.", name_kinds)
    assert heard == [
        ("The mill of Ida Roe opened in 1911.", "Ida Roe"),
        ("A cook sold it for 40 crowns.", "cook"),
    ]


@pytest.mark.parametrize(("kind", "is_vague"), [("thing", True), ("person", True), ("plant", False)])
def test_what_nobody_asks_for_by_its_kind_is_vague(kind: str, is_vague: bool) -> None:
    made = make_questions(
        "The mill of Ida Roe has 12 vines.\nIt sells oats.", lambda asked: [kind] * len(asked)
    )
    assert {answer: asked.is_vague for answer, asked in made.items()} == {
        "Ida Roe": False,
        "12": False,
        "oats": is_vague,
    }


def test_a_question_never_gives_its_answer_away() -> None:
    text = "The ferry Otter calls at Port Umber at 07:50. Dr Reyes paid 12 crowns for it in May 1911."
    made = make_questions(text, lambda phrases: ["thing"] * len(phrases))
    assert sum(len(asked.questions) for asked in made.values()) > 15
    for answer, asked in made.items():
        assert answer in text
        assert all(answer not in question for question in asked.questions)


def test_no_question_is_made_twice() -> None:
    made = make_questions(
        "The hull is green. The hull is green. On Monday, it is Ida.",
        lambda phrases: ["thing"] * len(phrases),
    )
    assert made
    for asked, _ in made.values():
        assert len(asked) == len(set(asked))


@pytest.mark.parametrize("text", ["", "   ", "Fox.", "and so on and on with it"])
def test_where_nothing_can_be_asked_there_is_no_question(text: str) -> None:
    assert make_questions(text, lambda phrases: ["thing"] * len(phrases)) == {}
