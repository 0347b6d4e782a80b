"""Steps in fixed places, as a card takes them: the same answers, from whatever was there before.

Recording a step needs a card (test_gpu.py); here each step is taken anew in the same places.
"""

from typing import Any

import pytest
import torch
from tiny import FLOAT32, save_tiny_reader, tiny_reader

from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.state import MemoryState
from dmdoc.model import reader as reader_module
from dmdoc.model.backbone import load_backbone
from dmdoc.model.causal_lm import CausalLM
from dmdoc.model.places import MOST, ROOM, FixedPlaces
from dmdoc.model.reader import Reader, load_reader
from dmdoc.model.steps import FixedSteps
from dmdoc.settings.generation import GenerationSettings


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """With a model of our own, whose answers depend on the state."""
    tiny = tiny_reader(DeltaMemConfig(rank=4, num_state_heads=2))
    tiny.backbone.model.get_output_embeddings().weight.mul_(50)
    model, adapter = save_tiny_reader(tiny, tmp_path_factory.mktemp("models"))
    loaded = load_reader(
        load_backbone(model, name="tiny", device="cpu", dtype="float32"), adapter, adapter_name="a"
    )
    assert isinstance(loaded.backbone.model, CausalLM)
    return loaded


def state_of(reader: Reader, text: str) -> MemoryState:
    with torch.no_grad():
        return reader.write(reader.chunks(text), reader.zero_state())


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_the_answers_are_those_of_growing_steps(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, temperature: float
) -> None:
    settings = GenerationSettings(max_tokens=7, temperature=temperature, top_p=0.9)
    states = [state_of(reader, text) for text in ("Lot one is salt.", "Rope, tar and a bell.")]
    questions: list[list[list[int]]] = [[[5, 6, 7]], [[9, 8, 7, 6, 5, 4], [3, 4]], [[5, 6, 7]]]

    def answers() -> list[Any]:
        return [
            reader.generate_batch(prompts, state and MemoryState.cat([state] * len(prompts)), settings)
            for state in (*states, None)
            for prompts in questions
        ]

    expected = answers()
    monkeypatch.setattr(reader_module, "keeps_places", lambda _: True)

    assert answers() == expected
    assert len({str(answer) for answer in expected}) > 3  # the states and prompts matter


def test_one_set_of_places_serves_questions_of_like_length(reader: Reader) -> None:
    places, model, device = FixedPlaces(), reader.backbone.model, reader.backbone.device
    state = reader.zero_state()
    first, mine = places.take(model, device, 1, 3, state)
    again, also_mine = places.take(model, device, 1, ROOM, state_of(reader, "Rope."))

    assert again is first
    assert mine is not None
    assert also_mine is mine is not state
    assert mine.equals(state_of(reader, "Rope."))
    assert places.take(model, device, 1, ROOM + 1, state)[0] is not first
    assert places.take(model, device, 1, 3, None)[0] is not first
    for rows in range(2, MOST + 2):
        places.take(model, device, rows, 3, state)
    assert places.take(model, device, 1, 3, state)[0] is not first  # room for it was needed


def test_what_is_hidden_changes_nothing(reader: Reader) -> None:
    steps = FixedSteps(reader.backbone.model, 1, 64, reader.backbone.device)
    ones = torch.ones(1, 40, dtype=torch.long)
    steps.first(ones, ones)
    steps.following(torch.tensor([3]))
    ids = torch.tensor([[4, 5, 6]])
    steps.first(ids, torch.ones_like(ids))
    after = steps.following(torch.tensor([7]))
    fresh = FixedSteps(reader.backbone.model, 1, 64, reader.backbone.device)
    fresh.first(ids, torch.ones_like(ids))

    torch.testing.assert_close(after, fresh.following(torch.tensor([7])), **FLOAT32)
