import pytest

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


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Grain goes to Lund. Ships wait; Umbnix too: Salt as well", ["lund", "umbnix"]),
        ("He left! Grain is here? \u201cSalt is not\u201d", []),
        ("Name | Grain | Lund City\tSalt   Umbnix", ["lund", "city", "umbnix"]),
        ("The O'Brien house, Saint-Orme, J. Brekke", ["brien", "saint", "orme", "brekke"]),
        ("On Friday Mr Moe paid EUR 5 in March \u00e0 la \u00c5rsta", ["moe", "\u00e5rsta"]),
        (".:" * 2000 + "Go", []),
    ],
)
def test_names_are_what_has_a_capital_and_could_be_a_thing(text: str, names: list[str]) -> None:
    assert name_words(text) == names


def test_a_statement_of_another_page_at_the_same_place_is_another() -> None:
    found = [Statement(0, 1, 0, "The Vera sails."), Statement(0, 2, 0, "The Vera rests.")]
    links = Links(found)
    assert list(links.of(found[0]._replace(rank=1.0))) == [("vera", found[1])]
