"""What is known of English words."""

import pytest

from dmdoc.text import thesaurus
from dmdoc.text.thesaurus import bases, family, is_known, synonyms


@pytest.mark.parametrize(
    ("form", "base"),
    [
        ("boats", "boat"),
        ("parties", "party"),
        ("planned", "plan"),
        ("making", "make"),
        ("biggest", "big"),
        ("went", "go"),
        ("children", "child"),
    ],
)
def test_a_form_has_its_base(form: str, base: str) -> None:
    assert base in bases(form)


def test_what_is_derived_is_of_the_family_and_a_synonym_is_not() -> None:
    assert {"own", "owner"} <= family("owned")
    assert "construct" not in family("built") and {"construct", "construction"} <= synonyms("built")


def test_a_name_is_not_known() -> None:
    assert is_known("barge")
    assert not is_known("halvorsen") and not family("halvorsen") and not synonyms("halvorsen")


def test_each_word_that_another_is_joined_to_is_there() -> None:
    irregular, related = thesaurus._tables()
    joined = {each for value in related.values() for each in value.split()}
    assert joined <= related.keys()
    assert {each for value in irregular.values() for each in value.split()} <= related.keys()


def test_its_licence_lies_beside_it() -> None:
    licence = thesaurus.FILE.with_name("thesaurus-licence.txt").read_text(encoding="utf-8")
    assert "WordNet 3.1 Copyright 2011 by Princeton University" in licence
    assert thesaurus.FILE.stat().st_size <= 250_000
