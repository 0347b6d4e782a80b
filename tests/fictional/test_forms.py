"""Forms of every day, and what they leave out."""

import pytest

from dmdoc.compare.cases import training_documents, training_rosters
from dmdoc.compare.foreign import posed
from dmdoc.fictional import FAMILIES, generate_form, own_words
from dmdoc.fictional.forms import form_kinds

FORMS = [generate_form(seed) for seed in range(120)]


def test_the_same_seed_gives_the_same_form() -> None:
    assert generate_form(5) == FORMS[5] != FORMS[6]


def test_every_answer_stands_in_its_form() -> None:
    for form in FORMS:
        assert form.questions
        for asked in form.questions:
            assert asked.answer in form.text
            assert asked.about.lower() in form.text.lower()


def test_what_a_form_leaves_out_is_asked_and_nothing_else() -> None:
    for form in FORMS:
        asked = {each.question for each in form.questions}
        assert form.missing
        assert not asked & set(form.missing)


def test_every_kind_comes_with_labels_sentences_tables_and_lists() -> None:
    assert {form.kind for form in FORMS} == {kind["name"] for kind in form_kinds()}
    text = "\n".join(form.text for form in FORMS)
    for mark in (" | ", "\t", " .... ", "\n- ", "Weight: ", "   "):
        assert mark in text


def test_no_word_of_the_evaluation_half_stands_in_a_form() -> None:
    only = own_words("eval") - own_words("train")
    # Words of sentences and labels that no value is made of.
    said = {word for form in FORMS for asked in form.questions for word in asked.answer.lower().split()}
    assert not said & only


@pytest.mark.parametrize("number", range(0, 24, 5))
def test_no_foreign_question_of_a_generated_document_has_an_answer_in_it(number: int) -> None:
    documents = training_documents(24, seed=3)
    own = {asked.question for asked in documents[number].questions}
    foreign = [each.question for each in posed(documents, 0)[number] if each.kind != "own"]
    assert foreign and not own & set(foreign)


def test_documents_to_judge_by_are_of_every_kind_and_of_the_training_half() -> None:
    documents = training_documents(28, seed=0)
    kinds = {asked.attribute.partition(".")[0] for document in documents for asked in document.questions}
    assert (
        {"the bill", "the letter"} & kinds
        and {"boat", "clerk", "horse"} & kinds
        and {"ship", "company"} & kinds
    )
    assert sum(bool(document.unanswered) for document in documents) == 14
    words = {
        word
        for document in documents
        for asked in document.questions
        for word in asked.answers[0].lower().split()
    }
    assert not words & (own_words("eval") - own_words("train"))


def test_rosters_to_judge_by_are_of_each_family() -> None:
    documents = training_rosters(2, seed=3)
    assert len({document.name for document in documents}) == len(documents) == 2 * len(FAMILIES)
    assert len({document.text for document in documents}) == len(documents)
    answers = {
        word for each in documents for asked in each.questions for word in asked.answers[0].lower().split()
    }
    assert not answers & (own_words("eval") - own_words("train"))
