"""A judge fitted on half of the documents, and what is said of it on the other half."""

import random
from dataclasses import asdict, replace

import pytest

from dmdoc.answer.signals import Signals
from dmdoc.compare.calibration import (
    Calibration,
    Count,
    Judged,
    ask_all_kinds,
    calibrate,
    card_with_verdicts,
    figures,
)
from dmdoc.compare.cases import dataset_cases, generated_documents
from dmdoc.compare.foreign import Kind
from dmdoc.errors import DmdocError
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings


def answers_of(documents: int, *, seed: int = 0) -> list[Judged]:
    """Two own and two foreign answers a document; what is likely is right, and foreign words are missing."""
    draw = random.Random(seed)
    kinds: tuple[Kind, ...] = ("own", "own", "other", "near miss")
    found = []
    for number in range(documents):
        for kind in kinds:
            own, likelihood = kind == "own", draw.uniform(-3, 0)
            right = own and draw.random() < (0.95 if likelihood > -1.5 else 0.1)
            words = draw.uniform(0.6, 1) if own else draw.uniform(0, 0.7)
            signals = Signals(words, 1.0, 0.3, likelihood, 0.5, 0.5)
            found.append(Judged(f"document {number}", kind, signals, right))
    return found


def test_a_judge_tells_right_answers_on_documents_that_it_has_not_seen() -> None:
    found = calibrate(answers_of(120))
    assert (found.fitted_on, found.documents) == (120 * 4, 120)
    assert sum(count.answers for count in found.verdicts.values()) == 120 * 4
    assert found.kept > 0.75
    assert max(found.foreign.values()) < 0.15
    assert set(found.foreign) == {"near miss", "other"}
    assert found.calibration_error < 0.1
    assert found.verdicts["sure"].answers > 10
    assert found.verdicts["sure"].rate > 0.8


@pytest.mark.slow
def test_the_seed_draws_the_halves() -> None:
    answers = answers_of(60)
    assert calibrate(answers, seed=3) == calibrate(answers, seed=3) != calibrate(answers, seed=4)


def test_a_judge_that_fails_on_other_documents_is_not_kept() -> None:
    judge = calibrate(answers_of(60)).judge
    turned = [replace(answer, right=not answer.right) for answer in answers_of(60, seed=1)]
    with pytest.raises(DmdocError, match="nothing was kept: of answers that hold"):
        figures(judge, [(answer, answer.judged_by(judge)) for answer in turned])


def test_too_few_answers_to_learn_from() -> None:
    with pytest.raises(DmdocError, match=r"too few answers to learn from: 8 about 2 documents"):
        calibrate(answers_of(4))


@pytest.mark.slow
def test_every_kind_of_question_is_asked_of_a_state(reader: Reader) -> None:
    cases = dataset_cases(generated_documents(3, 3, seed=0), reader)
    progress: list[tuple[float, float]] = []
    found = ask_all_kinds(
        cases,
        reader,
        "spans",
        settings=GenerationSettings(max_tokens=2),
        progress=lambda at: progress.append((at.done, at.total)),
    )
    assert progress[-1] == (len(found), len(found))
    assert {each.document for each in found} == {document.name for document in cases.documents}
    assert {each.kind for each in found} >= {"own", "other"}
    assert not any(each.right for each in found if each.kind != "own")
    assert min(each.signals.words for each in found if each.kind == "own") > 0


def test_a_card_says_it_before_its_limits_and_once_for_each_way() -> None:
    judge = calibrate(answers_of(60)).judge
    counts = {"sure": Count(20, 19), "likely": Count(30, 20)}
    first = Calibration(judge, 80, 20, counts, 0.9, {"near miss": 0.125, "other": 0.0}, 0.04)
    card = "# Adapter\n\n## Support\n\nOld.\n\n## Limits\n\n- Few.\n"
    once = card_with_verdicts(card, "state", first, "dev.jsonl")
    assert once == (
        "# Adapter\n\n## Verdicts: state\n\n"
        "Fitted to 80 answers about 20 documents (dev.jsonl). Fitted to half of them, on the other half:\n\n"
        "| verdict | answers | right |\n|---|---|---|\n| sure | 20 | 95% |\n| likely | 30 | 67% |\n\n"
        "90% of the right answers are sure or likely. So are, of answers to questions that the document does not "
        "answer: near miss 12%, other 0%. Expected calibration error 0.04.\n"
        "\n## Limits\n\n- Few.\n"
    )
    twice = card_with_verdicts(card_with_verdicts(once, "spans", first, "a"), "state", first, "b")
    assert (twice.count("## Verdicts: state"), twice.count("## Verdicts: spans")) == (1, 1)
    assert "(b)" in twice and "(dev.jsonl)" not in twice


@pytest.mark.slow
def test_sentences_are_judged_by_whether_the_document_answers_and_say_nothing_of_phrases() -> None:
    answers = answers_of(120)
    with_sentences = [
        *answers,
        *(replace(answer, sentences=True, right=False) for answer in answers if answer.right),
    ]
    found = calibrate(with_sentences)
    assert found.judge.likely == pytest.approx(calibrate(answers).judge.likely, abs=0.1)
    sentence = next(answer for answer in with_sentences if answer.sentences)
    judgement = sentence.judged_by(found.judge)
    assert judgement.probability == judgement.answerable


@pytest.mark.slow
def test_what_is_never_likely_does_not_keep_others_from_it() -> None:
    answers = answers_of(120)
    lowered = [
        replace(answer, best="doubtful") if number % 12 == 0 else answer
        for number, answer in enumerate(answers)
    ]
    found = calibrate(lowered)
    assert found.judge.likely < calibrate(answers).judge.likely
    assert found.kept > 0.75


@pytest.mark.slow
def test_probabilities_are_made_for_one_foreign_question_in_three() -> None:
    answers = answers_of(120)
    more = [*answers, *(replace(answer, right=False) for answer in answers if answer.kind != "own")]
    own, same = (
        calibrate(each).judge.right({**asdict(answers[0].signals), "likelihood": -1.0})
        for each in (answers, more)
    )
    assert own == pytest.approx(same, abs=0.05)
