import pytest
import torch
from tiny import tiny_reader

from dmdoc.answer.weighing import WEIGHTS, Measures
from dmdoc.compare import dataset_cases
from dmdoc.compare.phrase_weights import BEFORE, Choices, choices, fit_weights
from dmdoc.datasets import Question, QuestionedDocument
from dmdoc.errors import DmdocError
from dmdoc.settings.generation import GenerationSettings

LOTS = QuestionedDocument(
    "lots",
    ("Lot seven holds salt. Lot eight holds brine.",),
    (Question("What does lot seven hold?", ("salt",)), Question("Does lot seven hold salt?", ("yes",))),
)


def of(likelihood: float, kind: float, noun: float = 0) -> list[float]:
    return [float(value) for value in Measures(likelihood, 0, 0, 0, kind, 0, 0, noun, 0, 0, 0)]


def test_the_phrases_of_every_question_are_known_with_the_right_ones() -> None:
    reader = tiny_reader()
    (found,) = choices(dataset_cases([LOTS], reader), reader, settings=GenerationSettings(max_tokens=4))
    assert found.measures.shape == (len(found.right), len(WEIGHTS))
    assert found.right.sum() == 1  # salt; what yes or no would answer has no phrases


def test_what_the_right_phrases_have_weighs_more() -> None:
    right_kind = Choices(torch.tensor([of(-1, 1), of(-0.9, 0, noun=1)]), torch.tensor([True, False]))
    likelier = Choices(torch.tensor([of(-1, 1, noun=1), of(-2, 1)]), torch.tensor([True, False]))
    known = fit_weights([right_kind, likelier])
    assert known.likelihood == 1 and known.kind > BEFORE.kind
    # Of what no phrase had nothing was learned; beside the likelihood it is worth what it was.
    assert known.label / known.opposed == pytest.approx(BEFORE.label / BEFORE.opposed, abs=0.05)


def test_the_weights_that_ship_are_near_those_they_are_held_to() -> None:
    assert all(own * before > 0 for own, before in zip(WEIGHTS, BEFORE, strict=True))


def test_without_a_right_phrase_there_is_nothing_to_learn_from() -> None:
    wrong = Choices(torch.tensor([of(-1, 1)]), torch.tensor([False]))
    with pytest.raises(DmdocError, match="nothing to learn from: 1 questions"):
        fit_weights([wrong])
    unlikely = Choices(torch.tensor([of(-9, 0), of(-1, 0)]), torch.tensor([True, False]))
    with pytest.raises(DmdocError, match="tell nothing"):
        fit_weights([unlikely])
