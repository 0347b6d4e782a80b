import pytest

from dmdoc.answer.quoting import LISTED, NOTHING, quote
from dmdoc.answer.statements import statements

PAGES = (
    "Bylaws of the Rowing Club\n\nThe club keeps its boats in the boathouse by the quay. Dogs are not allowed in the "
    "boathouse. A season ticket costs 420 crowns and is sold by the club in the boathouse.",
    "Smoking is allowed on the deck of the barge alone.",
)
WRITTEN = statements(PAGES, [0])


def test_a_yes_or_no_question_gets_the_sentence_that_speaks_of_it() -> None:
    (found,) = quote("sentence", "Are dogs allowed in the boathouse?", WRITTEN).sentences
    assert (found.page, found.text) == (1, "Dogs are not allowed in the boathouse.")


def test_a_list_is_of_the_sentences_that_share_words_in_their_order() -> None:
    found = quote("list", "List what the boathouse and the barge are for.", WRITTEN).sentences
    assert [each.page for each in found] == [1, 1, 1, 2]
    long = quote("list", "List the boats.", statements(("The boats left. " * 9,), [0]))
    assert (len(long.sentences), long.more) == (LISTED, 9 - LISTED)


def test_a_text_is_about_what_its_title_and_its_first_sentences_say() -> None:
    found = quote("summary", "What is this about?", WRITTEN)
    assert [each.text[:9] for each in found.sentences] == ["Bylaws of", "The club ", "Dogs are "]
    assert quote("summary", "What is this about?", []) == NOTHING


def test_where_no_word_is_shared_there_is_nothing_to_quote() -> None:
    assert quote("sentence", "Is parking free?", WRITTEN) == quote("list", "List all.", WRITTEN) == NOTHING


@pytest.mark.parametrize(
    ("question", "beginning", "missing"),
    [
        ("Why does the subscription rise?", "The roof is to be mended, because", ""),
        ("Why was the regatta moved?", "This is due to", ""),
        ("Why is the office closed?", "The office is closed on Mondays", "reason"),
    ],
)
def test_why_gets_the_sentence_with_the_reason_or_that_there_is_none(
    question: str, beginning: str, missing: str
) -> None:
    text = (
        "The subscription rises to 650 crowns a year. The roof is to be mended, because it leaks, so the subscription "
        "rises. The regatta was moved to the month of June. This is due to the high water. The office is closed "
        "on Mondays and on Fridays."
    )
    found = quote("reason", question, statements((text,), [0]))
    assert found.text.startswith(beginning)
    assert found.missing == missing


BOATS = (
    "# Boats of the club\n\n- Kittiwake, single scull\n- Puffin, four\n- Eider, single scull\n\n# Keys\n\n"
    "They hang here.\n\nPresent: Hanna Brekke, Ivo Tarrant, Lise Moe"
)
TABLE = "Talk | Language\nMoss | English\nFrogs | German\nHedges | English"


@pytest.mark.parametrize(
    ("page", "question", "count"),
    [
        (BOATS, "How many boats does the club have?", 3),
        (BOATS, "How many single sculls are there?", None),
        (BOATS, "How many boats of the club are a single scull?", 2),
        (BOATS, "How many people were present?", 3),
        (BOATS, "How many dogs are there?", None),
        (TABLE, "How many talks are in English?", 2),
        (TABLE, "How many talks are there?", 3),
        (TABLE, "How many talks are in French?", None),
    ],
)
def test_items_and_rows_are_counted(page: str, question: str, count: int | None) -> None:
    assert quote("count", question, statements((page,), [0])).number == count


def test_a_list_is_given_whole_where_it_stands_as_one() -> None:
    page = "# Boats\n\n" + "\n".join(f"- Boat {letter}" for letter in "ABCDEFGH") + "\n\n# Keys\n\nHere."
    found = quote("list", "List the boats", statements((page,), [0]))
    assert (len(found.sentences), found.more) == (8, 0)
