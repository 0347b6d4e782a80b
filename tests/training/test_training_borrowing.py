import random
import re
from dataclasses import replace

from dmdoc import fictional
from dmdoc.training.borrowing import MOST_CHARACTERS, MOST_WORDS, borrow, lendable

PHRASES = ["the Treaty of Utrecht", r"C:\1 drive", "47 percent"]


def document(seed: int, updates: float = 0.0) -> fictional.FictionalDocument:
    return fictional.generate(seed, facts=6, split="train", updates=updates)


def test_borrowed_values_stand_in_the_text_and_answer_the_same_questions() -> None:
    borrowed = 0
    for seed in range(20):
        own = document(seed)
        other = borrow(own, 1.0, PHRASES, random.Random(seed))
        assert [q.question for q in other.questions] == [q.question for q in own.questions]
        for before, after in zip(own.questions, other.questions, strict=True):
            assert after.answer in other.text
            if after.answer != before.answer:
                borrowed += 1
                assert after.answer in PHRASES
                assert not re.search(rf"(?<!\w){re.escape(before.answer)}(?!\w)", other.text)
    assert borrowed > 20


def test_a_share_of_none_changes_nothing_and_the_seed_decides() -> None:
    own = document(3)
    assert borrow(own, 0.0, PHRASES, random.Random(1)) == own
    assert borrow(own, 0.5, PHRASES, random.Random(1)) == borrow(own, 0.5, PHRASES, random.Random(1))


def test_updated_facts_keep_their_values() -> None:
    own = document(4, updates=1.0)
    updated = [number for number, question in enumerate(own.questions) if question.superseded]
    other = borrow(own, 1.0, PHRASES, random.Random(1))
    assert updated
    assert all(other.questions[number] == own.questions[number] for number in updated)


def test_a_value_that_stands_twice_is_kept() -> None:
    own = document(5)
    twice = replace(own, text=f"{own.text} {own.text}")
    assert borrow(twice, 1.0, PHRASES, random.Random(1)) == twice


def test_only_short_answers_without_words_of_the_evaluation_are_lent() -> None:
    assert "dorothy" in fictional.own_words("eval")
    long, wordy = "x" * (MOST_CHARACTERS + 1), " ".join(["a"] * (MOST_WORDS + 1))
    assert lendable(["Saladin", "Saladin", "Dorothy Parker", long, wordy, "1,204"]) == ["Saladin", "1,204"]
