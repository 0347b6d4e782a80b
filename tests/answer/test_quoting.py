from dmdoc.answer.quoting import LISTED, quote
from dmdoc.answer.statements import statements

PAGES = (
    "Bylaws of the Rowing Club\n\nThe club keeps its boats in the boathouse by the quay. Dogs are not allowed in the "
    "boathouse. A season ticket costs 420 crowns and is sold by the club in the boathouse.",
    "Smoking is allowed on the deck of the barge alone.",
)
WRITTEN = statements(PAGES, [0])


def test_a_yes_or_no_question_gets_the_sentence_that_speaks_of_it() -> None:
    (found,) = quote("sentence", "Are dogs allowed in the boathouse?", WRITTEN)
    assert (found.page, found.text) == (1, "Dogs are not allowed in the boathouse.")


def test_a_list_is_of_the_sentences_that_share_words_in_their_order() -> None:
    found = quote("list", "List what the boathouse and the barge are for.", WRITTEN)
    assert [each.page for each in found] == [1, 1, 1, 2]
    assert len(quote("list", "List the boats.", statements(("The boats left. " * 9,), [0]))) == LISTED


def test_a_text_is_about_what_its_title_and_its_first_sentences_say() -> None:
    found = quote("summary", "What is this about?", WRITTEN)
    assert [each.text[:9] for each in found] == ["Bylaws of", "The club ", "Dogs are "]
    assert quote("summary", "What is this about?", []) == ()


def test_where_no_word_is_shared_there_is_nothing_to_quote() -> None:
    assert quote("sentence", "Is parking free?", WRITTEN) == quote("list", "List all.", WRITTEN) == ()
