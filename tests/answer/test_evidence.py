import pytest

from dmdoc.answer.evidence import Passage, passages

PAGES = (
    "The works at Bjornvik\n\nTobias Halvorsen founded the works in 1887. He had sold two ships to do it.",
    "",
    "Revenue in 2023 was 86.4 million crowns. It had been 79 million the year before.",
    "The pumps are serviced in May. The last service of the pumps cost 3 million crowns.",
)


def test_the_passage_that_speaks_of_the_question_comes_first_with_its_page() -> None:
    best, *_ = passages(PAGES, "What was the revenue in 2023?")
    assert best == Passage(3, PAGES[2], verbatim=False)


def test_the_answer_is_searched_for_too() -> None:
    question = "Who is behind it?"
    assert passages(PAGES, question) == ()
    assert [passage.page for passage in passages(PAGES, question, "Tobias Halvorsen")] == [1]


def test_there_are_at_most_so_many_and_none_that_shares_no_word() -> None:
    assert [passage.page for passage in passages(PAGES, "How many million crowns in May?")] == [4, 3]
    assert [passage.page for passage in passages(PAGES, "How many million crowns in May?", most=1)] == [4]


@pytest.mark.parametrize(
    ("answer", "verbatim"),
    [
        ("86.4 million crowns", True),
        ("86.4 Million Crowns.", True),
        ("4 million", True),
        ("6.4 million", False),
        ("86.4 crowns", False),
        ("million crown", False),
        ("...", False),
        ("", False),
    ],
)
def test_an_answer_is_verbatim_where_its_words_stand_in_one_piece(answer: str, verbatim: bool) -> None:
    best, *_ = passages(PAGES, "What was the revenue in 2023?", answer)
    assert best.page == 3
    assert best.verbatim is verbatim


def test_scripts_without_blanks_are_searched_character_by_character() -> None:
    best, *_ = passages(("盐厂建于一八八七年。", "地震发生在汶川。"), "地震在哪里", "汶川")
    assert best == Passage(2, "地震发生在汶川。", verbatim=True)


def test_passages_end_with_sentences_and_keep_within_the_size() -> None:
    found = passages(PAGES, "How many million crowns?", longest=60)
    assert [passage.text for passage in found] == [
        "Revenue in 2023 was 86.4 million crowns.",
        "The last service of the pumps cost 3 million crowns.",
        "It had been 79 million the year before.",
    ]


def test_a_sentence_that_is_too_long_is_parted_and_every_word_kept() -> None:
    words = [f"word{number}" for number in range(200)]
    page = " ".join(words) + " " + "盐" * 90
    found = passages((page,), page, most=1000, longest=30)
    assert all(len(passage.text) <= 30 for passage in found)
    kept = [word for passage in found for word in passage.text.split()]
    assert {word for word in kept if "盐" not in word} == set(words)
    assert "".join(word for word in kept if "盐" in word) == "盐" * 90


def test_the_caller_says_how_size_is_counted() -> None:
    found = passages(PAGES, "Which pumps?", longest=6, size=lambda text: len(text.split()))
    assert [passage.text for passage in found] == [
        "The pumps are serviced in May.",
        "pumps cost 3 million crowns.",
    ]


@pytest.mark.parametrize("question", ["", "?!", "the of and"])
@pytest.mark.parametrize(
    "pages", [(), ("",), ("...",), ("The.",)], ids=["none", "blank", "signs", "stopwords"]
)
def test_where_there_is_nothing_to_find_nothing_is_found(pages: tuple[str, ...], question: str) -> None:
    assert passages(pages, question) == ()
    assert passages(pages, "salt") == ()
    assert passages(PAGES, question) == ()
