from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dmdoc.answer.statements import BETWEEN_PAGES, Statement, rank, statements

PAGES = ("The barge left. It rained.", "", "Rent: 420 crowns\nDeposit: 900 crowns")


def test_statements_know_their_page_and_place() -> None:
    found = statements(PAGES, 0, 10_000)
    assert [(each.page, each.text) for each in found] == [
        (1, "The barge left."),
        (1, "It rained."),
        (3, "Rent: 420 crowns"),
        (3, "Deposit: 900 crowns"),
    ]
    assert all(PAGES[page - 1].startswith(text, start) for page, start, text in found)


@given(st.lists(st.text("ab. \n", max_size=30).map(str.strip), max_size=4), st.lists(st.integers(0, 120)))
def test_every_statement_is_in_one_of_neighbouring_sections(pages: list[str], cuts: list[int]) -> None:
    text = BETWEEN_PAGES.join(page for page in pages if page)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    parts = [each for begin, end in pairwise(bounds) for each in statements(pages, begin, end)]
    assert parts == statements(pages, 0, len(text))
    assert all(pages[page - 1].startswith(said, start) for page, start, said in parts)


def test_the_statement_that_shares_the_telling_words_is_first() -> None:
    found = statements(PAGES, 0, 10_000)
    assert [each.text for each in rank(found, "How much is the deposit?")] == ["Deposit: 900 crowns"]
    assert rank(found, "Warum?") == found
    assert rank([], "How much is the deposit?") == list[Statement]()
