import pytest

from dmdoc.refine.gaps import FEWEST_WORDS, MOST_WORDS_AFTER, MOST_WORDS_BEFORE, Gap, find_gaps


def answers(text: str) -> list[str]:
    return [gap.answer for gap in find_gaps(text)]


def gap_of(text: str, answer: str) -> Gap:
    (found,) = [gap for gap in find_gaps(text) if gap.answer == answer]
    return found


@pytest.mark.parametrize(
    ("text", "answer", "before", "after"),
    [
        ("The trawler Ines was built in 1937.", "1937", "The trawler Ines was built in", ""),
        ("The barge carries 40 tons of salt.", "40 tons", "The barge carries", "of salt"),
        ("Ida Roe built the mill, and Otto sold it.", "Ida Roe", "", "built the mill"),
        ("It stood empty; all called it the Grey Lady.", "Grey Lady", "all called it", ""),
        ("It weighs 805 grams, while the old one was Dutch.", "805 grams", "It weighs", ""),
        ("Ida Roe, a baker, built the mill.", "Ida Roe", "", "a baker"),
        ("Pepper should lie in bay 16 there.", "16", "Pepper should lie in", "there"),
        ("The hall seats 22 guests at once.", "22", "The hall seats", "at once"),
    ],
)
def test_a_gap_stands_in_its_clause(text: str, answer: str, before: str, after: str) -> None:
    gap = gap_of(text, answer)
    assert (gap.before, gap.after) == (before, after)


def test_a_long_sentence_gives_its_nearest_words() -> None:
    left, right = (" ".join(f"{side}{number}" for number in range(30)) for side in ("b", "a"))
    gap = gap_of(f"In {left} came Ida {right}.", "Ida")
    assert gap.before.split() == [*left.split()[19:], "came"]
    assert gap.after.split() == right.split()[:MOST_WORDS_AFTER]
    assert len(gap.before.split()) == MOST_WORDS_BEFORE


def test_what_a_text_is_about_is_not_asked_for() -> None:
    told = ["Ida Roe was born in Tolvik.", "Otto Lund wed Ida Roe.", "The mill belongs to Ida Roe."]
    assert "Ida Roe" in answers(" ".join(told[:2]))
    assert answers(" ".join(told)) == ["Tolvik", "Otto Lund"]


def test_answers_are_the_words_of_the_text_across_line_breaks() -> None:
    assert "Ida Roe" in answers("The mill belongs to Ida\nRoe now.")


@pytest.mark.parametrize(
    ("text", "answer", "topics"),
    [
        ("The firm has one ship, the Ines. Her captain is Ida Roe.", "Ida Roe", ("Ines", "ship")),
        ("Grey seals came to Tolvik. A baker counted 22 of them.", "22", ("Tolvik", "Grey seals")),
        (
            "Otto Lund saw copper in one batch. The mill shut. The cause was rust.",
            "rust",
            ("Otto Lund", "copper"),
        ),
        ("It was named Ines. It floats. It was red. Later it was green.", "green", ("Ines",)),
        ("Ida Roe sang. It rained hard. It was cold. Otto Lund came in 1937.", "1937", ()),
        ("Ida Roe came. Ida Roe has a dog.", "dog", ()),
        ("Ida Roe came.\n\nIt was green. Otto Lund sang.\nHe had a dog.", "dog", ("Otto Lund",)),
        ("Ida Roe came.\n\nIt was green.", "green", ()),
    ],
)
def test_the_topics_of_a_gap_are_what_the_sentences_before_it_speak_of(
    text: str, answer: str, topics: tuple[str, ...]
) -> None:
    assert gap_of(text, answer).topics == topics


@pytest.mark.parametrize("text", ["", "   ", "Fox.", "12", "汶川地震", "and so on and on with it"])
def test_where_nothing_can_be_asked_there_is_no_gap(text: str) -> None:
    assert find_gaps(text) == []


def test_a_gap_has_words_around_it() -> None:
    for gap in find_gaps("The hull is green. On Monday, it is Ida. Otto slept."):
        assert len(f"{gap.before} {gap.after}".split()) >= FEWEST_WORDS


@pytest.mark.parametrize(
    ("text", "replaced", "later", "words"),
    [
        (
            "Theo Wex commands the yacht Ines. Colin Bird has since taken over the command of the yacht Ines.",
            "Theo Wex",
            "Colin Bird",
            " commands the yacht Ines",
        ),
        (
            "The survey has an accuracy of 39 percent. The accuracy of the survey used to be 39 percent; today it is "
            "71 percent.",
            "39 percent",
            "71 percent",
            "The survey has an accuracy of ",
        ),
        (
            "Tolvik is home to 1,940 souls. The number of residents used to be 1,940; today it is 5,700.",
            "1,940",
            "5,700",
            "Tolvik is home to ",
        ),
        (
            "The Ines charter ends in 46 days. A lawsuit is heard in Bergen. The Ines charter is short. The town where "
            "a lawsuit over the Ines charter is heard is now Oslo.",
            "Bergen",
            "Oslo",
            "A lawsuit is heard in ",
        ),
    ],
)
def test_a_later_sentence_answers_what_it_replaces(text: str, replaced: str, later: str, words: str) -> None:
    found = find_gaps(text)
    assert replaced in text
    assert not [gap for gap in found if replaced in gap.answer]
    renewed = [gap for gap in found if gap.answer == later and f"{gap.before} {gap.after}" == words]
    assert len(renewed) == 1
    assert later in renewed[0].sentence


def test_what_may_be_replaced_by_either_of_two_is_not_asked_for() -> None:
    text = "The master of the Ines is Theo Wex. The master of the Ines is now Ida Roe or Otto Lund."
    assert "The master of the Ines is" not in [gap.before for gap in find_gaps(text) if not gap.after]
    assert "Theo Wex" not in answers(text)


def test_no_change_is_taken_for_what_another_replaces() -> None:
    text = (
        "The party to the Ines charter is Theo Wex. The latest word on the Ines charter comes from Ida Roe. "
        "The latest word on the Ines charter comes from Otto Lund."
    )
    found = answers(text)
    assert "Theo Wex" not in found
    assert "Ida Roe" in found


def test_a_quality_is_replaced_by_a_thing() -> None:
    text = "The emblem of the mill is painted green. The emblem of the mill used to be green; today it shows a dolphin."
    assert "green" not in answers(text)
    assert gap_of(text, "dolphin").before == "today it shows"


def test_a_change_of_something_else_replaces_nothing() -> None:
    text = "Theo Wex commands the yacht Ines. The harbour is now run by Ida Roe."
    assert gap_of(text, "Theo Wex").after == "commands the yacht Ines"
    assert "Ida Roe" in answers(text)
