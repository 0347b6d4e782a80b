"""Tests of rosters: what the halves share, where answers stand, and what makes each family hard."""

import re
from collections import Counter
from dataclasses import fields
from itertools import chain

import pytest

from dmdoc.errors import TrainingError
from dmdoc.fictional import FAMILIES, Family, FictionalDocument, generate_roster
from dmdoc.fictional.catalogue import SPLITS, Split
from dmdoc.fictional.roster_catalogue import RosterFrames, roster_frames, roster_kinds


def rosters(family: Family, split: Split = "eval", facts: int = 8) -> list[FictionalDocument]:
    return [
        generate_roster(seed, facts=facts, split=split, family=family, distractors=0.3) for seed in range(40)
    ]


def wordings(split: Split) -> set[str]:
    """Every template and label of a half."""
    frames = (getattr(roster_frames(split), field.name) for field in fields(RosterFrames))
    shared = chain.from_iterable([each] if isinstance(each, str) else each for each in frames)
    own = (
        (attribute.label, attribute.which, *attribute.facts, *attribute.asks, *attribute.apart)
        for kind in roster_kinds(split)
        for attribute in kind.attributes
    )
    return {*shared, *chain.from_iterable(own)}


def test_the_halves_share_no_kind_no_label_and_no_wording() -> None:
    assert not wordings("train") & wordings("eval")
    train, evaluation = (
        {word for kind in roster_kinds(split) for word in (kind.noun, kind.plural)} for split in SPLITS
    )
    assert not train & evaluation
    assert all(len(kind.attributes) >= 3 for split in SPLITS for kind in roster_kinds(split))


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_fact_has_a_question_whose_answer_stands_in_the_text(family: Family, split: Split) -> None:
    for facts in (6, 8, 13, 30):
        for document in rosters(family, split, facts)[:10]:
            assert len(document.questions) == facts
            assert len({item.question for item in document.questions}) == facts
            for item in document.questions:
                wordings = (item.question, *item.paraphrases)
                assert item.answer in document.text
                assert not any("{" in each for each in (document.text, *wordings))


def test_the_same_seed_gives_the_same_roster() -> None:
    assert rosters("near") == rosters("near")
    assert len({document.text for document in rosters("near")}) == 40


@pytest.mark.parametrize("facts", [5, 31])
def test_a_roster_of_too_few_or_too_many_facts_is_refused(facts: int) -> None:
    with pytest.raises(TrainingError, match=f"a roster has 6 to 30 facts, got {facts}"):
        generate_roster(0, facts=facts, split="train", family="roster")


def test_several_things_share_each_attribute() -> None:
    for document in rosters("roster"):
        assert min(Counter(item.attribute for item in document.questions).values()) >= 2


def test_near_names_share_a_word() -> None:
    for document in rosters("near"):
        subjects = [re.sub(r"[?:]", "", item.question).split() for item in document.questions]
        assert max(Counter(chain.from_iterable(map(set, subjects))).values()) >= 4


def test_a_chain_names_no_thing_but_by_another_value() -> None:
    for document in rosters("chain", facts=12)[:10]:
        values = {item.answer for item in document.questions}
        described = [item for item in document.questions if any(value in item.question for value in values)]
        assert len(described) >= 8
        assert all(item.answer not in item.question.split() for item in described)


def test_doubled_values_belong_to_two_things() -> None:
    doubled = [
        max(Counter((item.attribute, item.answer) for item in document.questions).values()) > 1
        for document in rosters("doubled")
    ]
    assert sum(doubled) >= 20


def test_pronouns_stand_for_things_named_before() -> None:
    for document in rosters("pronoun"):
        assert re.search(r"\b([Ii]t|[Ss]he)\b", document.text)


def test_questions_apart_are_those_that_share_no_wording_with_the_text() -> None:
    apart = {
        re.escape(wording).replace(r"\{S\}", ".+")
        for kind in roster_kinds("eval")
        for attribute in kind.attributes
        for wording in attribute.apart
    }
    items = [item for document in rosters("apart")[:10] for item in document.questions]
    assert all(any(re.fullmatch(wording, item.question, re.I) for wording in apart) for item in items)


def test_rosters_are_laid_out_in_several_ways() -> None:
    tables = Counter("\t" in document.text for document in rosters("roster"))
    assert tables[True] > 2 and tables[False] > 2
