import pytest

from dmdoc.text.candidates import find_candidates, split_units


def texts(text: str, question: str = "") -> list[str]:
    return [candidate.text for candidate in find_candidates(text, question)]


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        ("The barge leaves from pier 9 at 07:50.", "pier 9"),
        ("The barge leaves from pier 9 at 07:50.", "07:50"),
        ("They paid 86.4 million crowns for the new bridge.", "86.4 million crowns"),
        ("The ship sails under Captain Omar Davard.", "Omar Davard"),
        ("The treaty was signed on 12 June 2023 in Tolvik.", "12 June 2023"),
        ("The hull is painted dark green.", "dark green"),
        ("She joined the Ministry of War and the Navy.", "Ministry of War and the Navy"),
        ("The pump stopped to protect the worn valve.", "protect the worn valve"),
        ('He wrote "The Salt Road" in Oslo.', "The Salt Road"),
        ("It cost $2.2 billion.", "$2.2 billion"),
    ],
)
def test_what_answers_a_question_is_a_candidate(sentence: str, answer: str) -> None:
    assert answer in texts(sentence)


@pytest.mark.parametrize("part", ["leaves from", "from pier 9", "pier 9 at", "at 07:50", "The barge leaves"])
def test_a_run_that_ends_in_the_middle_of_a_phrase_is_none(part: str) -> None:
    assert part not in texts("The barge leaves from pier 9 at 07:50.")


def test_what_repeats_the_question_is_none() -> None:
    sentence = "The barge Sorrel was built in Oslo."
    assert "barge Sorrel" in texts(sentence)
    assert "barge Sorrel" not in texts(sentence, "Where was the Sorrel, a barge, built?")
    assert "Oslo" in texts(sentence, "Where was the Sorrel, a barge, built?")


def test_candidates_know_their_place_in_the_text() -> None:
    text = "The crossing takes forty minutes.\n\nA ticket for the crossing is sold by the Lund\nferry office."
    found = find_candidates(text)
    assert "Lund ferry office" in [candidate.text for candidate in found]
    assert all(" ".join(text[start:end].split()) == said for start, end, said in found)
    assert len({candidate.text.lower() for candidate in found}) == len(found)


def test_lines_of_a_list_and_cells_of_a_table_stand_by_themselves() -> None:
    text = "Rent: 420 crowns\nDeposit: 900 crowns\nThursday | pier 9\t07:50"
    units = [text[start:end] for start, end in split_units(text)]
    assert units == ["Rent: 420 crowns", "Deposit: 900 crowns", "Thursday", "pier 9", "07:50"]
    assert "420 crowns" in texts(text)


def test_a_line_that_the_margin_broke_goes_on() -> None:
    text = "The association leases the boathouse from the\nTown of Ostrand until the end of 2031."
    assert [text[start:end] for start, end in split_units(text)] == [text]


@pytest.mark.parametrize("text", ["", " \n\n ", "。", "- * |"])
def test_a_text_without_words_has_none(text: str) -> None:
    assert find_candidates(text) == []


def test_the_mark_of_an_item_and_a_part_of_a_date_are_none() -> None:
    found = texts("7. The tenant moved in on 12 May 2016.")
    assert "12 May 2016" in found
    assert not {"7", "2016", "May 2016", "12 May"}.intersection(found)


def test_names_behind_a_label_are_a_candidate_together_however_many() -> None:
    names = ", ".join(f"Ada Quill{letter} Lund" for letter in "abcdefg")
    assert names in texts(f"Present: {names}")


@pytest.mark.parametrize("number", ["020 7946 0018", "+47 22 55 01 38", "(020) 7946 0018", "0161-496-0021"])
def test_a_telephone_number_is_whole(number: str) -> None:
    found = [each.text for each in find_candidates(f"Call the pilot, Ada Quill, on {number}.")]
    assert [each for each in found if any(letter.isdigit() for letter in each)] == [number]


def test_what_begins_with_a_verb_answers_where_a_deed_is_asked_for() -> None:
    text = "The storm broke the sea gate and flooded Hall B."
    assert "broke the sea gate" in texts(text, "What did the storm do?")
    assert "broke the sea gate" in texts(text, "How did the storm harm the works?")
    found = texts(text, "Which hall did the storm reach?")
    assert "Hall B" in found
    assert not any(each.startswith(("broke", "flooded")) for each in found)


def test_an_adverb_alone_is_no_candidate() -> None:
    assert not {"Soon", "never", "also", "strictly"} & set(
        texts("Soon it also rained, never strictly.", "Where is it?")
    )


@pytest.mark.parametrize("name", ["Attalus I", "Henry VIII", "Louis XIV"])
def test_the_number_of_a_king_belongs_to_his_name(name: str) -> None:
    assert name in texts(f"The army was defeated by {name} of Pergamon.", "Who defeated the army?")
