from dataclasses import replace

import pytest
import torch
from tiny import tiny_reader

from dmdoc.answer.weighing import WEIGHTS, Measures
from dmdoc.compare.calibration import Reply, replies
from dmdoc.compare.foreign import Posed
from dmdoc.compare.phrase_weights import BEFORE, Choices, fit_weights, measured_again, phrases_of
from dmdoc.datasets import QuestionedDocument
from dmdoc.errors import DmdocError
from dmdoc.ingest.sections import write_text
from dmdoc.settings.generation import GenerationSettings

LOTS = QuestionedDocument("lots", ("Lot seven holds salt. Lot eight holds brine.",), ())


def replied(*asked: Posed) -> list[Reply]:
    reader = tiny_reader()
    state, settings = write_text(LOTS.text, reader, 0), GenerationSettings(max_tokens=4)
    return list(replies(LOTS, asked, state, reader, "spans", settings=settings))


def of(likelihood: float, kind: float, noun: float = 0) -> list[float]:
    return [float(value) for value in Measures(likelihood, 0, 0, 0, kind, 0, 0, noun, 0, 0, 0, 0, 0, 0)]


def test_the_phrases_of_a_question_are_known_with_the_right_ones() -> None:
    phrase, sentence = replied(
        Posed("What does lot seven hold?", ("salt",), "own"),
        Posed("Does lot seven hold salt?", ("yes",), "own"),
    )
    found = phrases_of(phrase)
    assert found is not None
    assert found.measures.shape == (len(found.right), len(WEIGHTS))
    assert found.right.sum() == 1
    assert phrases_of(sentence) is None  # what yes or no would answer has no phrases


def test_what_was_read_is_weighed_by_the_measures_of_today() -> None:
    (reply,) = replied(Posed("What does lot seven hold?", ("salt",), "own"))
    choice = reply.recalled.choice
    assert choice is not None
    old = [replace(span, measures=span.measures._replace(rank=-9.0)) for span in choice.read]
    worst = min(choice.read, key=lambda span: span.score)
    stale = replace(
        reply, recalled=replace(reply.recalled, choice=replace(choice, span=worst, read=tuple(old)))
    )
    assert measured_again(stale, LOTS).judged(LOTS) == reply.judged(LOTS)
    (sentence,) = replied(Posed("Does lot seven hold salt?", ("yes",), "own"))
    assert measured_again(sentence, LOTS) == sentence


def test_what_the_right_phrases_have_weighs_more() -> None:
    right_kind = Choices(torch.tensor([of(-1, 1), of(-0.9, 0, noun=1)]), torch.tensor([True, False]))
    likelier = Choices(torch.tensor([of(-1, 1, noun=1), of(-2, 1)]), torch.tensor([True, False]))
    known = fit_weights([right_kind, likelier])
    assert known.likelihood == 1 and known.kind > BEFORE.kind
    # Of what no phrase had nothing was learned; beside the likelihood it is worth what it was.
    assert known.label / known.opposed == pytest.approx(BEFORE.label / BEFORE.opposed, abs=0.05)


def test_the_weights_that_ship_are_near_those_they_are_held_to() -> None:
    # What counts for little may come to count for nothing.
    assert all(
        own * before > 0 or abs(own - before) <= 1 for own, before in zip(WEIGHTS, BEFORE, strict=True)
    )


def test_without_a_right_phrase_there_is_nothing_to_learn_from() -> None:
    wrong = Choices(torch.tensor([of(-1, 1)]), torch.tensor([False]))
    with pytest.raises(DmdocError, match="nothing to learn from: 1 questions"):
        fit_weights([wrong])
    unlikely = Choices(torch.tensor([of(-9, 0), of(-1, 0)]), torch.tensor([True, False]))
    with pytest.raises(DmdocError, match="tell nothing"):
        fit_weights([unlikely])
