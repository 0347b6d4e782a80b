from itertools import pairwise

import pytest

from dmdoc.text.phrases import dimension, find_phrases


def phrases(sentence: str) -> list[tuple[str, str]]:
    return [(phrase.answer, phrase.form) for phrase in find_phrases(sentence)]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The trawler Ines was built in Oslo.", [("Ines", "name"), ("Oslo", "name")]),
        ("It opened on 12 June 2023 at noon.", [("12 June 2023", "date"), ("noon", "thing")]),
        ("On October 19, Nixon spoke.", [("October 19", "date"), ("Nixon", "name")]),
        ("She was born in 1937 in Tolvik.", [("1937", "year"), ("Tolvik", "name")]),
        ("It leaves at 07:50.", [("07:50", "time")]),
        ("It opened in the 1960s.", [("1960s", "decade")]),
        ("They paid $2.2 billion.", [("$2.2 billion", "amount")]),
        ("They rose by 70% and by 5 percent.", [("70%", "amount"), ("5 percent", "amount")]),
        ("In July it was 32 °C there.", [("July", "date"), ("32 °C", "number")]),
        ("Vitamin D helps, J. Smith said.", [("Vitamin D", "name"), ("J. Smith", "name")]),
        (
            "The Bank of the North paid Ida Roe-Lund.",
            [("Bank of the North", "name"), ("Ida Roe-Lund", "name")],
        ),
        ("Kettle and Rye sank.", [("Kettle and Rye", "name")]),
        (
            "Ida Roe, Otto Lund and Malcolm K. Hughes met in the Red Hall and the Salt Hall.",
            [
                (name, "name")
                for name in ("Ida Roe", "Otto Lund", "Malcolm K. Hughes", "Red Hall", "Salt Hall")
            ],
        ),
        ("He heard Ida, Otto and Alma.", [("Ida", "name"), ("Otto", "name"), ("Alma", "name")]),
        ("Mr. Lund met E. W. Orr of Orr & Co.", [("Lund", "name"), ("E. W. Orr of Orr & Co", "name")]),
        (
            "It met von Staupitz at Lund\u2013Orr Hall.",
            [("von Staupitz", "name"), ("Lund\u2013Orr Hall", "name")],
        ),
        ("We saw St. Olaf's Church.", [("St. Olaf's Church", "name")]),
        ("We used d'Hondt's or Leonardo da Vinci's.", [("d'Hondt", "name"), ("Leonardo da Vinci", "name")]),
        (
            "We met Ida Roe's December 1895 guest.",
            [("Ida Roe", "name"), ("December 1895", "date"), ("guest", "thing")],
        ),
        ('They are "X-Rays" or "Roentgen rays," too.', [("X-Rays", "name"), ("Roentgen rays", "name")]),
        ("He read Article 5 of it.", [("Article 5", "name")]),
        (
            "In Tolvik 22 seals and in Oslo 5% sank.",
            [("Tolvik", "name"), ("22", "count"), ("Oslo", "name"), ("5%", "amount")],
        ),
        ("It came at 2:45 a.m. or 9 pm.", [("2:45 a.m.", "time"), ("9 pm", "time")]),
        (
            "In the late 17th century or the nineteenth century BC.",
            [("17th century", "century"), ("nineteenth century BC", "century")],
        ),
        ("They won by 7 to 10 percent.", [("7 to 10 percent", "amount")]),
        ("Heute fuhr der Kahn nach Tolvik.", [("Kahn", "name"), ("Tolvik", "name")]),
    ],
)
def test_dates_numbers_and_names_are_known_by_their_form(
    sentence: str, expected: list[tuple[str, str]]
) -> None:
    assert phrases(sentence) == expected


@pytest.mark.parametrize(
    ("sentence", "answer", "form", "noun"),
    [
        ("The biologist counted 22 seals here.", "22", "count", "seals"),
        ("It has Twenty-two oars.", "Twenty-two", "count", "oars"),
        ("The barge is 38 metres long.", "38 metres", "measure", "metres"),
        ("It has one hundred and sixty schools.", "one hundred and sixty", "count", "schools"),
        ("They counted 200\u2013300 seals.", "200\u2013300", "count", "seals"),
        ("It has 6,000 square kilometres.", "6,000 square kilometres", "measure", "square kilometres"),
        ("Bay 16 of it holds wool.", "16", "label", "bay"),
        ("It cost 40 million crowns.", "40 million crowns", "measure", "crowns"),
        ("Pepper lies in bay 16.", "16", "label", "bay"),
        ("Pepper lies in 16.", "16", "number", ""),
        ("They all met at number 1,850.", "1,850", "number", ""),
    ],
)
def test_a_number_says_what_it_counts_measures_or_labels(
    sentence: str, answer: str, form: str, noun: str
) -> None:
    assert (answer, form, noun) in [(p.answer, p.form, p.noun) for p in find_phrases(sentence)]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("A statue of a dolphin guards the fountain.", [("statue", "thing"), ("dolphin", "thing")]),
        (
            "Her family bought two old houses.",
            [("family", "thing"), ("two", "number"), ("old houses", "thing")],
        ),
        ("It needs oxidants and fuels.", [("oxidants", "thing"), ("fuels", "thing")]),
        ("It was seen by several different guests.", [("guests", "thing")]),
        ("Then press the blue button.", [("blue", "modifier"), ("blue button", "thing")]),
        ("The hull is painted dark green.", [("dark green", "quality")]),
        ("The hull is very large and the boat is slow.", [("large", "quality"), ("slow", "quality")]),
        ("The hobby she loves is stargazing.", [("stargazing", "quality")]),
    ],
)
def test_things_and_qualities_are_known_by_the_tagger(sentence: str, expected: list[tuple[str, str]]) -> None:
    found = phrases(sentence)
    assert [phrase for phrase in expected if phrase not in found] == []


@pytest.mark.parametrize("sentence", ["The machine hums.", "Beginners often learn it."])
def test_what_a_sentence_is_about_is_not_asked_for(sentence: str) -> None:
    assert phrases(sentence) == []


def test_a_pointed_at_phrase_of_several_words_is_asked_for() -> None:
    assert phrases("This old machine hums.") == [("old", "modifier"), ("old machine", "thing")]


def test_a_capital_at_the_start_of_a_sentence_makes_no_name() -> None:
    assert phrases("However, it sank.") == []
    assert phrases("Yelwold is where it sank.") == [("Yelwold", "name")]


def test_an_adjective_is_no_verb_and_no_name() -> None:
    assert ("worn valve", "thing") in phrases("The cause was a worn valve.")
    assert ("Grey seals", "thing") in phrases("Grey seals returned to the pond.")


def test_a_slash_parts_no_word_from_its_place() -> None:
    assert phrases("Oslo/Bergen lies near hall 7.") == [("Oslo", "name"), ("Bergen", "name"), ("7", "label")]
    assert phrases("Yé?/Xa/@—") == [("Yé", "name"), ("Xa", "name")]


def test_only_a_modifier_overlaps_the_thing_it_stands_in() -> None:
    sentence = "In the Imperial court, 22 tame seals and a fat cook ate fresh white bread in hall 7 at 07:50."
    found = find_phrases(sentence)
    assert len(found) > 6
    for phrase in found:
        assert phrase.answer in sentence[phrase.start : phrase.end]
    rest = [phrase for phrase in found if phrase.form != "modifier"]
    for one, other in pairwise(rest):
        assert one.end <= other.start


@pytest.mark.parametrize("sentence", ["", "   ", "12/3", "a/b/c", "and so on and on with it", "...", "?"])
def test_a_sentence_may_say_nothing(sentence: str) -> None:
    assert [phrase for phrase in find_phrases(sentence) if phrase.form == "thing"] == []


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("metres", "length"),
        ("century", "time"),
        ("crowns", "money"),
        ("square miles", "amount"),
        ("seals", None),
    ],
)
def test_units_are_told_from_what_is_counted(noun: str, expected: str | None) -> None:
    assert dimension(noun) == expected
