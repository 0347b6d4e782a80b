import pytest

from dmdoc.answer.statements import Statement
from dmdoc.answer.weighing import FAR, WEIGHTS, Asked, Measures, weigh
from dmdoc.text.candidates import Candidate

TEXT = "In Lund the barge Sorrel was built by Hanna Brekke."


def measured(phrase: str, question: str = "Who built the barge Sorrel?") -> Measures:
    start = TEXT.index(phrase)
    candidate = Candidate(start, start + len(phrase), phrase)
    statement = Statement(0, 1, 0, TEXT, rank=0.5)
    return Asked(question, [statement]).measure(candidate, statement, -0.25)


def of_cell(phrase: str, question: str, line: str, heads: tuple[str, ...] = ()) -> Measures:
    statement = Statement(0, 1, 0, line, heads=heads)
    candidate = Candidate(line.index(phrase), line.index(phrase) + len(phrase), phrase)
    return Asked(question, [statement]).measure(candidate, statement, 0.0)


def test_a_phrase_is_measured_by_the_state_and_by_its_place() -> None:
    # built is 2 words away, barge 5, and Sorrel 4; a name counts twice.
    found = measured("Hanna Brekke")
    assert found._replace(distance=0) == Measures(
        -0.25,
        0.5,
        words=2,
        distance=0,
        kind=1,
        whole=0,
        echo=0,
        noun=0,
        covers=1,
        label=0,
        opposed=0,
        clause=1,
        linked=0,
        is_label=0,
    )
    assert found.distance == pytest.approx((2 + 2 * 4 + 5) / 4 / FAR)
    assert measured("Lund").distance == pytest.approx((2 + 2 * 3 + 5) / 4 / FAR)


def test_where_no_other_word_is_shared_the_distance_is_the_farthest() -> None:
    assert measured("Lund", question="Wo?").distance == 1


def test_forms_of_a_word_count() -> None:
    assert measured("Lund", question="Are barges there?").distance == pytest.approx(2 / FAR)


def test_a_cell_says_what_its_row_its_heading_and_its_value_say() -> None:
    rows = [
        ("- item: Wood glue; size: 750 ml; price: 7.20", ()),
        ("Wood glue | 750 ml | 7.20", ("Item", "Size", "Price")),
        ("Wood glue      750 ml     7.20", ("Size", "Price")),
    ]
    for line, heads in rows:
        price = of_cell("7.20", "What is the price of wood glue?", line, heads)
        size = of_cell("750 ml", "What is the price of wood glue?", line, heads)
        assert (price.covers, price.whole) == (1, 1)
        assert size.covers < 1
        assert of_cell("750", "What is the price of wood glue?", line, heads).whole == 0


def test_what_stands_beyond_a_contrast_is_far() -> None:
    line = "891 people work for Lund, whereas 930 people work for Ostrand."
    question = "How many people work for Ostrand?"
    assert of_cell("930", question, line).distance < of_cell("891", question, line).distance


def test_a_clause_has_its_own_words_alone() -> None:
    line = "891 people work for Lund, whereas 930 people work for Ostrand."
    question = "How many people work for Ostrand?"
    right, wrong = of_cell("930", question, line), of_cell("891", question, line)
    assert right.clause == right.covers == wrong.covers == 1 > wrong.clause


def test_what_is_said_elsewhere_of_the_same_thing_counts() -> None:
    lines = [
        "The Vera carries grain.",
        "Olsen steers the Vera.",
        "Moe steers the Rune.",
        "The Rune carries salt.",
    ]
    found = [Statement(0, 1, 10 * number, line) for number, line in enumerate(lines)]
    asked = Asked("Who steers the ship that carries salt?", found)
    measures = [
        asked.measure(Candidate(0, len(name), name), statement, 0.0)
        for name, statement in (("Olsen", found[1]), ("Moe", found[2]))
    ]
    assert [each.covers for each in measures] == [pytest.approx(0.3, abs=0.2)] * 2
    assert measures[1].linked > measures[0].linked > 0
    assert measures[1].covers + measures[1].linked == pytest.approx(1)
    # What the question names itself, or the phrase, links nothing.
    assert Asked("Who steers the Vera?", found).measure(Candidate(0, 5, "Olsen"), found[1], 0.0).linked == 0
    at = lines[1].index("Vera")
    assert asked.measure(Candidate(at, at + 4, "Vera"), found[1], 0.0).linked == 0


def test_a_label_is_told_from_what_stands_behind_it() -> None:
    question, line = "Where does Leila work?", "office .... room 817"
    assert of_cell("office", question, line).is_label == 1
    assert of_cell("room 817", question, line).is_label == 0
    several = "Office: room 817; Head: Leila Berg"
    assert [of_cell(phrase, question, several).is_label for phrase in ("Head", "room 817", "Leila Berg")] == [
        1,
        0,
        0,
    ]


def test_the_noun_that_is_asked_for_is_known() -> None:
    line = "The barge leaves from pier 9."
    assert of_cell("pier 9", "From which pier does the barge leave?", line).noun == 1
    assert of_cell("9", "From which pier does the barge leave?", line).noun == 0


def test_a_statement_that_names_the_thing_covers_more_of_the_question() -> None:
    read = [
        Statement(0, 1, at, text)
        for at, text in enumerate(("Uxton is its seat.", "Linmoor is the seat of Tarara."))
    ]
    read[0] = read[0]._replace(around="Prylio Clocks was founded in 1931.")
    asked = Asked("What is the seat of Prylio Clocks?", read)
    right = asked.measure(Candidate(0, 5, "Uxton"), read[0], 0.0)
    wrong = asked.measure(Candidate(0, 7, "Linmoor"), read[1], 0.0)
    assert right.covers == 1 > wrong.covers


def test_the_likelier_the_nearer_and_the_shorter_the_better() -> None:
    one = measured("Hanna Brekke")
    assert weigh(one) == pytest.approx(sum(w * v for w, v in zip(WEIGHTS, one, strict=True)))
    for better in (
        one._replace(likelihood=0),
        one._replace(rank=1),
        one._replace(words=1),
        one._replace(distance=0),
        one._replace(noun=1),
        one._replace(covers=2),
    ):
        assert weigh(better) > weigh(one)
    assert weigh(one._replace(kind=0)) < weigh(one)


ROW = "- Code: P-220; Article: Pine plank; Width: 12 cm; Stock: 120; Price: 12.90"


@pytest.mark.parametrize(
    ("question", "phrase"),
    [
        ("What is the price of a pine plank?", "12.90"),
        ("What is the code of the pine plank?", "P-220"),
        ("How wide is the pine plank?", "12 cm"),
        ("How many pine planks are in stock?", "120"),
        ("Which article has the code P-220?", "Pine plank"),
    ],
)
def test_the_heading_that_a_question_names_chooses_the_cell(question: str, phrase: str) -> None:
    scores = {
        other: weigh(of_cell(other, question, ROW))
        for other in ("P-220", "Pine plank", "12 cm", "120", "12.90")
    }
    assert max(scores, key=lambda other: scores[other]) == phrase


def test_who_was_there_are_all_behind_the_label() -> None:
    line, question = (
        "Present: Hanna Brekke, Ivo Tarrant, Lise Moe",
        "Who was at the meeting, who was present?",
    )
    everybody, one = of_cell(line[9:], question, line), of_cell("Hanna Brekke", question, line)
    assert (everybody.label, one.label) == (1, 0.5)
    assert weigh(everybody) > weigh(one)


def test_what_stands_behind_a_label_that_is_asked_for_is_near() -> None:
    line, question = "From: Astrid Vinter, Vinter Stoves", "Who sent the mail about the barge?"
    assert of_cell("Astrid Vinter", question, line).distance == 0
    assert of_cell("Vinter Stoves", question, line).distance == pytest.approx(2 / FAR)


def test_the_opposite_of_what_is_asked_is_worth_less() -> None:
    line, question = "The lease begins in May.", "When does the lease end?"
    assert of_cell("May", question, line).opposed == 1
    assert of_cell("May", question, "The lease ends in May.").opposed == 0


def test_a_value_that_no_longer_holds_is_worth_less() -> None:
    line = "The fare rises from 4 crowns to 5 crowns in May."
    assert of_cell("4 crowns", "What will the fare be?", line).opposed == 1
    assert of_cell("5 crowns", "What will the fare be?", line).opposed == 0
