"""Words that are forms of one."""

from itertools import combinations

import pytest

from dmdoc.text.words import akin, alike, likeness, names, split_pieces, words_query


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("built", "build"),
        ("captains", "captain"),
        ("treasury", "treasurer"),
        ("laid", "lay"),
        ("owns", "owner"),
        ("died", "death"),
        ("sold", "sale"),
        ("allergic", "allergy"),
        ("halvorsen", "halvorsens"),
    ],
)
def test_forms_of_a_word_are_alike(one: str, other: str) -> None:
    assert alike(one, other)
    assert not akin(one, "salt")


@pytest.mark.parametrize(
    ("one", "other"),
    [("starts", "begin"), ("built", "construction"), ("bought", "purchaser"), ("repaired", "fix")],
)
def test_synonyms_are_akin(one: str, other: str) -> None:
    assert akin(one, other)
    assert not alike(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12", "120"),
        ("20", "2024"),
        ("buyer", "sell"),
        ("sold", "bought"),
        ("start", "end"),
        ("north", "south"),
        ("chair", "treasurer"),
        ("employer", "employee"),
        ("contract", "control"),
    ],
)
def test_numbers_opposites_and_neighbours_are_not(one: str, other: str) -> None:
    assert not akin(one, other) and not akin(other, one)


def test_likeness_goes_both_ways() -> None:
    words = "begin start begun beginning build built construction edifice dying dyed own owner high height"
    for one, other in combinations(words.split(), 2):
        assert likeness(one, other) == likeness(other, one), (one, other)


def test_beginnings_are_sought_of_unknown_words_alone() -> None:
    assert words_query(["building", "halvorsen"]) == '"building" OR "halvorsen" OR "halvor"*'


def test_names_have_a_capital_or_a_digit() -> None:
    assert names("Who built the Élan of Åbo in 1,931 for the café?") == ["élan", "åbo", "1", "931"]
    assert names("Captains of old ships") == []


def test_a_possessive_and_the_asker_name_nothing() -> None:
    assert names("When did I sell Anna's barge to Quill\u2019s?") == ["anna", "quill"]


def test_a_name_that_begins_with_a_digit_is_whole() -> None:
    assert names("Who sails with bus 21A from berth 7c?") == ["21a", "7c"]


def test_marks_stand_among_the_words() -> None:
    assert split_pieces("Lund, (the PORT); \u6d77\u5cb8_9", ",;)") == [
        "lund",
        ",",
        "the",
        "port",
        ")",
        ";",
        "\u6d77",
        "\u5cb8",
        "9",
    ]
