from dmdoc.answer.links import MOST, Links, name_words
from dmdoc.answer.statements import Statement


def of(*lines: str) -> list[Statement]:
    return [Statement(0, 1, number, line) for number, line in enumerate(lines)]


def test_statements_that_share_a_name_are_linked() -> None:
    found = of("The Vera carries grain.", "Vera was built in Lund.", "Rune lies in Lund.", "It rains.")
    links = Links(found)
    assert list(links.of(found[0])) == [("vera", found[1])]
    assert list(links.of(found[1])) == [("vera", found[0]), ("lund", found[2])]
    assert list(links.of(found[3])) == []


def test_what_the_whole_text_is_about_links_nothing() -> None:
    few = of(*("The Vera sails." for _ in range(MOST)))
    many = [*few, *of("The Vera rests.")]
    assert len(list(Links(few).of(few[0]))) == MOST - 1
    assert list(Links(many).of(few[0])) == []


def test_a_capital_at_the_beginning_makes_no_name_of_an_english_word() -> None:
    assert name_words("Grain goes to Lund. Ships wait; Umbnix too: Salt as well") == ["lund", "umbnix"]
