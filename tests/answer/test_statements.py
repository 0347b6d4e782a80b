from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from dmdoc.answer.statements import BETWEEN_PAGES, Statement, likely_statements, rank, statements

PAGES = ("The barge left. It rained.", "", "Rent: 420 crowns\nDeposit: 900 crowns")


def test_statements_know_their_section_their_page_and_their_place() -> None:
    assert statements(PAGES, [0, 16]) == [
        Statement(0, 1, 0, "The barge left."),
        Statement(1, 1, 16, "It rained.", around="The barge left.", offset=16),
        Statement(1, 3, 0, "Rent: 420 crowns", offset=28),
        Statement(1, 3, 17, "Deposit: 900 crowns", offset=45),
    ]


@given(st.lists(st.text("ab. \n", max_size=30).map(str.strip), max_size=4), st.lists(st.integers(1, 40)))
def test_every_statement_stands_where_it_says(pages: list[str], lengths: list[int]) -> None:
    text = BETWEEN_PAGES.join(page for page in pages if page)
    starts = [0, *accumulate(lengths)]
    found = statements(pages, starts)
    assert "".join("".join(each.text for each in found).split()) == "".join(text.split())
    assert all(pages[each.page - 1].startswith(each.text, each.start) for each in found)
    assert all(text.startswith(each.text, each.offset) for each in found)
    position = 0
    for each in found:
        position = text.index(each.text, position)
        assert starts[each.section] <= position
        assert each.section + 1 == len(starts) or position < starts[each.section + 1]
        position += len(each.text)


def test_the_statement_that_shares_the_telling_words_is_first() -> None:
    found = statements(PAGES, [0])
    assert [each.text for each in rank(found, "How much is the deposit?", 3)] == ["Deposit: 900 crowns"]
    assert rank(found, "Warum?", 3) == rank(found, "Is it?", 3) == rank([], "How much is it?", 3) == []


def test_ranks_are_shares_of_the_best_and_words_count_in_all_their_forms() -> None:
    found = statements(
        ("The barge was built in Lund. It rained there. They build a barge a year in Lund.",), [0]
    )
    best = rank(found, "Where were barges built?", 5)
    assert {each.text[:4] for each in best[:2]} == {"The ", "They"}
    # What its pronoun points at was built; it says less of that than the others.
    assert best[2].text == "It rained there."
    assert best[0].rank == 1 > best[1].rank > best[2].rank > 0
    assert rank(found, "Where were barges built?", 1) == best[:1]


@given(st.text(max_size=40))
def test_any_question_can_be_ranked(question: str) -> None:
    assert rank(statements(PAGES, [0]), question, 2)[2:] == []


def test_a_row_of_a_table_has_the_headings_of_its_columns() -> None:
    first, *others = statements(("From | Sundays\nLund | 17:15\nOslo | 9:30\n\nIt is late.",), [0])
    assert first.names and not any(each.names for each in others)
    assert [each.heads for each in others] == [("From", "Sundays"), ("From", "Sundays"), ()]
    best = rank([first, *others], "When does it leave Lund on Sundays?", 1)
    assert [each.text for each in best] == ["Lund | 17:15"]


def test_a_heading_ranks_below_what_stands_under_it() -> None:
    found = statements(("# Fares\n\nAdults pay 6 euros.\n\n# Rules\n\nDogs are welcome.",), [0])
    assert [each.text for each in rank(found, "What are the fares?", 3)] == ["Adults pay 6 euros.", "# Fares"]


def test_what_a_pronoun_points_at_counts() -> None:
    found = statements(("The Fair hall is of brick. Simon Lund designed it. The Elm hall is old.",), [0])
    assert rank(found, "Who designed the Fair hall?", 1)[0].text == "Simon Lund designed it."


def test_a_word_that_most_statements_have_tells_a_little() -> None:
    found = statements(("The barge is old. The barge is in Lund. The barge is red.",), [0])
    best = rank(found, "Where is the barge in Lund?", 3)
    assert best[0].text == "The barge is in Lund." and best[1].rank > 0.05


def test_a_letter_says_whom_it_greets_and_who_signed_it() -> None:
    page = "Dear Mr de Wit,\nit is late.\nThe stove comes on Friday.\n\nKind regards,\nAstrid Vinter"
    found = {each.text: each for each in statements((page,), [0])}
    assert found["Dear Mr de Wit,"].label == "to"
    assert (found["Astrid Vinter"].label, found["Astrid Vinter"].names) == ("from", False)
    assert sum(bool(each.label) for each in found.values()) == 2


def test_words_with_which_a_document_begins_tell_less() -> None:
    page = "Sparrow Foundry.\nOstwick.\nSince 1911.\nSparrow and Ostwick are near.\nBells are cast at noon."
    found = rank(statements([page], [0]), "When are bells cast by Sparrow in Ostwick, the foundry?", 1)
    assert found[0].text == "Bells are cast at noon."
    asked = "Who washes for Sparrow in Ostwick?"
    found = rank(
        statements(["Sparrow.\nOstwick.\nHello.\nSparrow likes Ostwick.\nRoe washes."], [0]), asked, 1
    )
    assert found[0].text == "Roe washes."
    subject = "Dear Ada,\nHello.\nI write.\nSubject: the Halcyon.\nThe Halcyon is old.\nRent is due."
    assert rank(statements([subject], [0]), "Halcyon rent?", 1)[0].text == "Rent is due."


def test_sentences_beside_the_best_ones_of_their_section_may_answer_too() -> None:
    pages = ["The ferry is blue. Rope is sold. Tar is sold.", "Grain is stored there."]
    written = statements(pages, [0, len(pages[0]) + len(BETWEEN_PAGES)])
    found = likely_statements("Who owns the ferry?", written)
    assert [each.text for each in found] == ["The ferry is blue.", "Rope is sold.", "Tar is sold."]
    assert likely_statements("What is jazz?", written) == []
