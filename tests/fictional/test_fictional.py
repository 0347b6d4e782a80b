"""Tests of fictional documents: what the splits share, where answers stand, and how the sentences read."""

import re
from dataclasses import fields

import pytest

from dmdoc.errors import TrainingError
from dmdoc.fictional import FictionalDocument, Question, generate, phrasings, relations
from dmdoc.fictional.catalogue import SPLITS, Frames, Split, frames, kinds
from dmdoc.fictional.values import common_pools, pool_values, shared_pools

NAMES = ("first", "family", "town", "stem", "trade", "inn", "gadget")
WORDS = [
    *("animal", "profession", "instrument", "hobby", "language", "material", "goods", "cargo", "dish"),
    *("drink", "subject", "sport", "tree", "vehicle", "crop", "mineral"),
]
NUMBERS = [
    *("year", "recent_year", "count", "thousands", "euros", "large_euros", "millions", "percent", "metres"),
    *("altitude", "kilometres", "tonnes", "date"),
]


def sample(split: Split, count: int = 120) -> list[FictionalDocument]:
    """Documents of many sizes, with updates and distractors."""
    return [
        generate(seed, facts=4 + seed * 7 % 57, split=split, updates=0.3, distractors=seed % 3 / 2)
        for seed in range(count)
    ]


def stated(document: FictionalDocument, question: Question) -> str:
    """The sentence that begins where a question says that its answer stands."""
    rest = document.text[round(question.position * len(document.text)) :]
    return re.split(r"(?<=\.)\s", rest)[0]


def standing_alone(value: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w,:]){re.escape(value)}(?![\w:]|,\d)")


def test_same_seed_gives_the_same_document() -> None:
    first = generate(7, facts=8, split="train", updates=0.5, distractors=0.5)
    assert first == generate(7, facts=8, split="train", updates=0.5, distractors=0.5)
    assert first != generate(8, facts=8, split="train", updates=0.5, distractors=0.5)
    assert first.text != generate(7, facts=8, split="eval", updates=0.5, distractors=0.5).text


def test_there_are_forty_relations_of_eight_kinds() -> None:
    assert len(set(relations())) == len(relations()) >= 40
    assert len(kinds()) >= 8


@pytest.mark.parametrize("relation", relations())
def test_phrasings_are_several_and_differ_between_the_splits(relation: str) -> None:
    wording = {each.id: each.wording for kind in kinds() for each in kind.relations}[relation]
    assert len(set(wording["train"].facts)) >= 3 and len(set(wording["train"].questions)) >= 3
    assert len(set(wording["eval"].facts)) >= 2 and len(set(wording["eval"].questions)) >= 2
    assert wording["train"].nouns and wording["eval"].nouns


def test_no_phrasing_of_any_relation_serves_both_splits() -> None:
    train, evaluation = (
        {text for relation in relations() for text in phrasings(relation, split)} for split in SPLITS
    )
    assert train & evaluation == set()
    for field in fields(Frames):
        train_lines, eval_lines = (getattr(frames(split), field.name) for split in SPLITS)
        assert set(train_lines) & set(eval_lines) == set() or field.name == "joint"
    assert frames("train").joint != frames("eval").joint
    for kind in kinds():
        own, other = (kind.manner[split] for split in SPLITS)
        assert not {*own.references, *own.remarks} & {*other.references, *other.remarks} - {"{last}"}


def test_splits_share_no_name_and_no_word_of_the_large_pools() -> None:
    for pools in (NAMES, WORDS, NUMBERS):
        train, evaluation = (
            {value for pool in pools for value in pool_values(pool, split)} for split in SPLITS
        )
        assert not train & evaluation
    assert shared_pools() == {"colour", "weekday", "month", "moment"}


@pytest.mark.slow
def test_splits_share_no_answer_but_small_numbers_and_common_words() -> None:
    answers = [{q.answer for document in sample(split) for q in document.questions} for split in SPLITS]
    common = {value for pool in shared_pools() for value in pool_values(pool, "train")}
    both = answers[0] & answers[1] - common
    assert all(re.fullmatch(r"\d\d?( \w+)?|\d\d:\d\d", value) for value in both), both


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_answer_stands_at_its_position_after_what_it_replaced(split: Split) -> None:
    updated = 0
    for document in sample(split):
        for question in document.questions:
            sentence = stated(document, question)
            assert standing_alone(question.answer).search(sentence), (question, sentence)
            if question.superseded:
                updated += 1
                earlier = document.text[: round(question.position * len(document.text))]
                assert standing_alone(question.superseded).search(earlier)
    assert updated > 500


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_no_question_has_two_answers(split: Split) -> None:
    for document in sample(split, 300):
        answers: dict[str, str] = {}
        for question in document.questions:
            for wording in (question.question, *question.paraphrases):
                assert answers.setdefault(wording, question.answer) == question.answer, wording
                assert wording.endswith(("?", "."))
            assert len(question.paraphrases) >= 2


@pytest.mark.parametrize("split", SPLITS)
def test_answers_of_a_document_differ(split: Split) -> None:
    for seed in range(300):
        document = generate(seed, facts=12, split=split, updates=0.3)
        values = [value for q in document.questions for value in (q.answer, q.superseded) if value]
        assert len(values) == len(set(values))


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_an_answer_stands_in_no_sentence_of_another_fact(split: Split) -> None:
    for seed in range(200):
        document = generate(seed, facts=10, split=split, distractors=1.0)
        for question in document.questions:
            assert len(standing_alone(question.answer).findall(document.text)) == 1, (seed, question)


def test_template_never_begins_with_a_value_that_would_need_a_capital() -> None:
    for kind in kinds():
        for relation in kind.relations:
            if relation.value in WORDS or relation.value in ("colour", "room"):
                for split in SPLITS:
                    wording = relation.wording[split]
                    for text in wording.facts + wording.questions + wording.updates:
                        assert not text.startswith("{V}"), (relation.id, text)


@pytest.mark.parametrize("split", SPLITS)
def test_no_template_or_remark_contains_a_value(split: Split) -> None:
    lines = [line for relation in relations() for line in phrasings(relation, split)]
    lines += [remark for kind in kinds() for remark in kind.manner[split].remarks] + [*frames(split).remarks]
    words = re.sub(r"\{\w+\}", "", "\n".join(lines))
    for pool in (*WORDS, "colour", "weekday"):
        for value in pool_values(pool, split):
            assert not re.search(rf"\b{value}\b", words, re.IGNORECASE), (pool, value)


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_sentences_read_well(split: Split) -> None:
    for document in sample(split):
        assert not re.search(r"  | [.,?]|\.\.|[{}]|\n{3}| \n|\n ", document.text)
        for paragraph in document.text.split("\n\n"):
            assert re.fullmatch(r"[A-Z0-9].*\.", paragraph)
            assert not re.search(r"\. [a-z]|\.[A-Za-z]", paragraph)
        questions = " ".join(wording for q in document.questions for wording in (q.question, *q.paraphrases))
        for words in (document.text, questions):
            assert not re.search(r"\b[Aa] (?!uni)[aeiou]|\b[Aa]n [^aeiouAEIOU]", words)
            assert not re.search(r"\b(the|an?) (the|an?)\b", words, re.IGNORECASE)


@pytest.mark.parametrize(
    ("facts", "fewest", "most"), [(4, 20, 80), (8, 50, 150), (20, 130, 340), (60, 430, 900)]
)
def test_documents_are_as_long_as_their_facts(facts: int, fewest: int, most: int) -> None:
    for split in SPLITS:
        for seed in range(40):
            document = generate(seed, facts=facts, split=split)
            assert len(document.questions) == facts
            assert fewest <= len(document.text.split()) <= most


def test_subjects_are_paragraphs() -> None:
    single = generate(1, facts=4, split="train")
    assert single.kind in {kind.name for kind in kinds()} and "\n\n" not in single.text
    mixed = generate(1, facts=24, split="train", subjects=5)
    assert mixed.kind == "mixed" and mixed.text.count("\n\n") == 4
    for facts, subjects in ((9, 1), (3, 4), (4, 0)):
        with pytest.raises(TrainingError, match=f"{facts} facts cannot be shared by {subjects} subjects"):
            generate(1, facts=facts, split="train", subjects=subjects)


def test_rates_of_updates_and_distractors() -> None:
    plain = generate(3, facts=8, split="eval")
    assert not any(question.superseded for question in plain.questions)
    changed = generate(3, facts=8, split="eval", updates=1.0)
    assert all(question.superseded for question in changed.questions)
    lengths = [
        sum(generate(seed, facts=8, split="eval", distractors=rate).text.count(".") for seed in range(100))
        for rate in (0.0, 0.5, 1.0)
    ]
    assert 300 < lengths[1] - lengths[0] < 500 < lengths[2] - lengths[1] + 200
    assert common_pools() == {"trade", "gadget", "moment"}
