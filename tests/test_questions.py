import pytest

from dmdoc.questions import FEWEST_WORDS, MOST_WORDS_AFTER, MOST_WORDS_BEFORE, make_questions


def answers(text: str) -> list[str]:
    return list(make_questions(text))


def questions(text: str, answer: str) -> list[str]:
    return make_questions(text)[answer]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The trawler Ines was built in Oslo.", ["Ines", "Oslo"]),
        ("It opened on 12 June 2023 at noon.", ["12 June 2023", "noon"]),
        ("On October 19, Nixon spoke.", ["October 19", "Nixon", "spoke"]),
        ("She was born in 1937 in Tolvik.", ["1937", "Tolvik"]),
        ("The train leaves at 07:50 every day.", ["07:50", "every day"]),
        ("It cost $2.2 billion, not 40 million crowns.", ["$2.2 billion", "40 million crowns"]),
        ("Prices rose by 70% and by 5 percent.", ["70%", "5 percent"]),
        ("The biologist counted 22 seals here.", ["22 seals"]),
        ("The barge is 38 metres long.", ["38 metres", "long"]),
        ("It has six masts and Twenty-two oars.", ["six masts", "Twenty-two oars"]),
        ("In July it was 32 °C there.", ["July", "32 °C"]),
        ("Vitamin D helps, J. Smith said.", ["Smith", "said"]),
        ("They took the ball to the 40-yard line.", ["line"]),
        ("The Bank of the North paid Ida Roe-Lund.", ["Bank of the North", "Ida Roe-Lund"]),
        ("Heute fuhr der Kahn über den See nach Tolvik.", ["Kahn", "See", "Tolvik"]),
        ("The hull of the boat is painted dark green.", ["dark green"]),
    ],
)
def test_names_numbers_dates_and_closing_words_are_asked_for(text: str, expected: list[str]) -> None:
    assert answers(text) == expected


def test_a_capital_at_the_start_of_a_sentence_makes_no_name() -> None:
    assert answers("However, it sank. Beginners learn to row.") == ["sank", "row"]
    assert "Ines" in answers("Ines sank in the bay. Divers found Ines there.")


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
            "The barge carries 40 tons of salt.",
            "40 tons",
            [
                "The barge carries how many tons of salt?",
                "How many tons the barge carries of salt?",
                "How many tons did the barge carries of salt?",
                "How much did the barge carries of salt?",
            ],
        ),
        (
            "Ida Roe built the mill, and Otto sold it.",
            "Ida Roe",
            [
                "Who built the mill?",
                "What built the mill?",
                "Which built the mill?",
                "Where built the mill?",
            ],
        ),
    ],
)
def test_a_question_is_worded_in_several_ways(text: str, answer: str, expected: list[str]) -> None:
    assert questions(text, answer) == expected


def test_a_clause_of_its_own_is_asked_about_alone() -> None:
    text = "The mill stood empty for years; the village called it the Grey Lady."
    assert "The village called it who?" in questions(text, "Grey Lady")


def test_a_long_sentence_gives_its_nearest_words() -> None:
    left, right = (" ".join(f"{side}{number}" for number in range(30)) for side in ("b", "a"))
    asked = questions(f"In {left} came Ida {right}.", "Ida")[0].rstrip("?").split()
    assert asked == ["B19", *left.split()[20:], "came", "who", *right.split()[:MOST_WORDS_AFTER]]
    assert len(asked) == MOST_WORDS_BEFORE + 1 + MOST_WORDS_AFTER


def test_a_question_never_gives_its_answer_away() -> None:
    text = "The ferry Otter calls at Port Umber at 07:50. Dr Reyes paid 12 crowns for it in May 1911."
    made = make_questions(text)
    assert sum(map(len, made.values())) > 20
    for answer, asked in made.items():
        assert answer in text
        assert all(answer not in question for question in asked)


def test_what_a_text_is_about_is_not_asked_for() -> None:
    told = ["Ida Roe was born in Tolvik.", "Otto Lund wed Ida Roe.", "The mill belongs to Ida Roe."]
    assert "Ida Roe" in answers(" ".join(told[:2]))
    assert answers(" ".join(told)) == ["Tolvik", "Otto Lund"]


def test_answers_are_the_words_of_the_text_across_line_breaks() -> None:
    assert "Ida Roe" in answers("The mill belongs to Ida\nRoe now.")


@pytest.mark.parametrize("text", ["", "   ", "Fox.", "12", "汶川地震", "and so on and on with it"])
def test_where_nothing_can_be_asked_there_is_no_question(text: str) -> None:
    assert make_questions(text) == {}


def test_no_question_is_made_twice_and_none_is_too_short() -> None:
    made = make_questions("The hull is green. The hull is green. On Monday, it is Ida.")
    for asked in made.values():
        assert len(asked) == len(set(asked))
        assert all(len(question.split()) > FEWEST_WORDS for question in asked)


@pytest.mark.parametrize(
    ("text", "replaced", "later", "asked"),
    [
        (
            "Theo Wex commands the yacht Ines. Colin Bird has since taken over the command of the yacht Ines.",
            "Theo Wex",
            "Colin Bird",
            "Who commands the yacht Ines?",
        ),
        (
            "The survey has an accuracy of 39 percent. The accuracy of the survey used to be 39 percent; today it is "
            "71 percent.",
            "39 percent",
            "71 percent",
            "The survey has an accuracy of how much?",
        ),
        (
            "Tolvik is home to 1,940 souls. The number of residents used to be 1,940; today it is 5,700.",
            "1,940",
            "5,700",
            "Tolvik is home to how many?",
        ),
        (
            "The Ines charter ends in 46 days. A lawsuit is heard in Bergen. The Ines charter is short. The town where "
            "a lawsuit over the Ines charter is heard is now Oslo.",
            "Bergen",
            "Oslo",
            "A lawsuit is heard in who?",
        ),
    ],
)
def test_a_later_sentence_answers_what_it_replaces(text: str, replaced: str, later: str, asked: str) -> None:
    made = make_questions(text)
    assert replaced in text
    assert not [answer for answer in made if replaced in answer]
    assert asked in made[later]


def test_what_may_be_replaced_by_either_of_two_is_not_asked_for() -> None:
    text = "The master of the Ines is Theo Wex. The master of the Ines is now Ida Roe or Otto Lund."
    assert "The master of the Ines is who?" not in [
        question for asked in make_questions(text).values() for question in asked
    ]
    assert "Theo Wex" not in answers(text)


def test_a_change_of_something_else_replaces_nothing() -> None:
    text = "Theo Wex commands the yacht Ines. The harbour is now run by Ida Roe."
    assert "Who commands the yacht Ines?" in questions(text, "Theo Wex")
    assert "Ida Roe" in answers(text)
