"""The embedded model with the shipped adapter, for real: what two commands on a fresh machine rest on."""

import os
from pathlib import Path
from typing import Literal

import pytest
import torch

from dmdoc.answer.pointing import point_at
from dmdoc.answer.spans import find_phrases
from dmdoc.answer.written import as_written
from dmdoc.ingest.sections import write_text
from dmdoc.memory.reading_file import READING_WEIGHTS
from dmdoc.model.embedded import embedded_folder
from dmdoc.model.prompt import load_prompt
from dmdoc.model.reader import Reader, open_reader
from dmdoc.model.registry import SHIPPED_ADAPTERS
from dmdoc.refine.kinds import KINDS, name_kinds
from dmdoc.settings.folders import cache_folder
from dmdoc.settings.generation import GenerationSettings
from dmdoc.training.config import Stage
from dmdoc.training.measure import measure

NAME = "smollm2-135m"
FOLDER = SHIPPED_ADAPTERS / NAME

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("embedded")]


@pytest.fixture(scope="module")
def reader() -> Reader:
    cache = cache_folder(os.environ)
    if not embedded_folder(cache).is_dir():
        pytest.skip("the embedded model is not in the cache; run `make model`")
    return open_reader(NAME, NAME, cache=cache, device="cpu", offline=True)


def test_the_adapter_and_its_states_are_small(reader: Reader) -> None:
    assert sum(path.stat().st_size for path in Path(FOLDER).iterdir()) <= 17 * 2**20
    assert reader.zero_state().numbers * 4 <= 256 * 2**10


@pytest.mark.parametrize("mode", ["spans", "evidence"])
def test_the_weights_for_one_recall_mode_fit_and_are_small(
    mode: Literal["spans", "evidence"], reader: Reader
) -> None:
    assert (FOLDER / READING_WEIGHTS[mode]).stat().st_size <= 3 * 2**20
    assert reader.speaker(mode) is not reader


NOTE = (
    "Class 4b visits the salt mine on Thursday. The coach leaves from the north gate at 7:40. "
    "Mr Okafor collects the money. Mrs Lindqvist looks after the sandwiches. Each child needs a torch."
)


ASKED = {
    "Who collects the money?": "Mr Okafor",
    "Who looks after the food?": "Mrs Lindqvist",
    "When does the coach leave?": "7:40",
    "Where does the coach leave from?": "the north gate",
    "What does each child need?": "a torch",
    "On what day is the visit?": "Thursday",
}


def test_the_pointer_points_at_most_answers(reader: Reader) -> None:
    state = write_text(NOTE, reader)
    document = as_written((NOTE,), state, reader)
    right = 0
    for question, answer in ASKED.items():
        found = point_at(find_phrases(question, (NOTE,)), question, document.chunks, state, reader)
        best = max(found, key=lambda each: each.measures.pointed)
        right += answer.removeprefix("the ").removeprefix("a ") in best.candidate.text
    assert right >= 3, right


def test_the_adapter_has_a_card() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for heading in ("## Data", "## Training", "## Figures", "## Limits"):
        assert heading in card


def test_the_state_of_a_document_knows_more_of_it_than_that_of_another(reader: Reader) -> None:
    stage = Stage(steps=1, documents=4, facts=(4, 4), questions=2, recitations=1, max_tokens=160)
    scores = measure(stage, reader, seed=23)
    assert scores["own"]["recitation"] < scores["donor"]["recitation"] - 0.1
    assert scores["own"]["answer"] < scores["donor"]["answer"] - 0.1


def test_an_empty_state_leaves_the_model_as_it_is(reader: Reader) -> None:
    prompt = reader.prompt_ids(load_prompt("answer").fill(question="What is the capital of France?"))
    ids = torch.tensor([prompt])
    with torch.no_grad():
        plain = reader.backbone.model(ids, use_cache=False).logits
        with reader.reading(reader.zero_state()) as model:
            attached = model(ids, use_cache=False).logits
    assert torch.equal(attached, plain)


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of France?",
        "Who is the captain of the barge Sorrel?",
        "In what year was Halvorsen Brine Works founded?",
    ],
)
def test_from_an_empty_state_every_token_is_that_of_the_frozen_model(reader: Reader, question: str) -> None:
    prompt = reader.prompt_ids(load_prompt("answer").fill(question=question))
    greedy = GenerationSettings(max_tokens=16)
    frozen = reader.generate(prompt, None, greedy)

    assert len(frozen) > 3
    assert reader.generate(prompt, reader.zero_state(), greedy) == frozen


def test_the_model_names_kinds(reader: Reader) -> None:
    assert len({reader.encode(f" {kind}")[0] for kind in KINDS}) == len(KINDS)
    phrases = [
        ("The handle is carved from sandstone.", "sandstone"),
        ("Emil Zimlund governs the school.", "Emil Zimlund"),
        ("A statue of a dolphin stands there.", "dolphin"),
        ("It was made by Lyxatus Airlines.", "Lyxatus Airlines"),
    ]
    assert name_kinds(phrases, reader) == ["material", "person", "animal", "company"]
