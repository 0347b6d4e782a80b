"""Where an answer stands: what the loss says of keys and queries, and that fitting them to it finds places."""

import random
from dataclasses import replace

import pytest
import torch
from tiny_training import ADAPTER, tiny_backbone

from dmdoc.memory.adapter import DeltaMemAdapter
from dmdoc.memory.attach import attention_inputs, attention_sizes
from dmdoc.memory.state_header import Identity
from dmdoc.model.reader import Reader
from dmdoc.training import addresses
from dmdoc.training.addresses import fit_addresses
from dmdoc.training.config import Stage
from dmdoc.training.examples import Example
from dmdoc.training.location import SHARPNESS, Sought, answers_sought, location_loss, place_nats
from dmdoc.training.loss import score_reads, write_batch
from dmdoc.training.reads import Batch, build_batch

TRACED = replace(ADAPTER, num_state_heads=2, shifts_keys=True, traces_keys=True)
STAGE = Stage(steps=1, questions=2, recitations=1, rivals=1, max_tokens=64)
EXAMPLES = (
    Example(
        "Bex owes 17. Dag owes 23.",
        (("How much owes Dag?", "23"), ("How much owes Bex?", "17")),
        (("17",), ()),
    ),
    Example("Oto owes 17. Oto owes 17.", (("How much owes Oto?", "17"),), (("18",),)),
)


@pytest.fixture(scope="module")
def reader() -> Reader:
    backbone = tiny_backbone()
    torch.manual_seed(0)
    return Reader(backbone, DeltaMemAdapter(TRACED, attention_sizes(backbone.model)), Identity("traced", ""))


def batch_of(reader: Reader) -> Batch:
    return build_batch(EXAMPLES, STAGE, reader, random.Random(0))


def test_places_are_those_of_answers_that_stand_in_the_text_once(reader: Reader) -> None:
    batch = batch_of(reader)
    (later, first), (twice,) = batch.places
    ids = batch.chunks[0].token_ids

    assert later is not None and reader.decode(ids[later:]).startswith("23")
    assert first is not None and reader.decode(ids[first:]).startswith("17")
    assert twice is None


def test_the_columns_of_an_answer_are_its_question(reader: Reader) -> None:
    batch = batch_of(reader)
    sought = answers_sought(batch, reader)

    assert [(each.row, each.place) for each in sought] == [(0, batch.places[0][0]), (0, batch.places[0][1])]
    shared = len(batch.reads[0][0].prompt_ids) - len(sought[0].columns)
    assert len(sought[1].columns) == len(batch.reads[0][1].prompt_ids) - shared


def test_nats_are_those_of_a_choice_among_the_places_of_the_text() -> None:
    keys, queries = torch.eye(3)[None, None], torch.eye(3)[None, None]  # [1, 1, 3, 3]
    right, wrong = (Sought(0, torch.tensor([1]), place) for place in (1, 2))
    share = torch.tensor([0.0, SHARPNESS, 0.0]).log_softmax(0)

    torch.testing.assert_close(place_nats(keys, queries, [right], [3]), -share[1])
    torch.testing.assert_close(place_nats(keys, queries, [right, wrong], [3]), -(share[1] + share[2]) / 2)
    assert float(place_nats(keys, queries, [Sought(0, torch.tensor([1]), 1)], [2])) < -float(share[1])


@pytest.mark.slow
def test_fitted_addresses_find_places_and_leave_half_of_the_heads_alone(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "STEPS", 40)
    batch = batch_of(reader)
    before = {name: value.clone() for name, value in reader.adapter.state_dict().items()}
    loss = location_of(batch, reader)
    fit_addresses(reader.adapter, reader, [batch], seed=0)

    assert location_of(batch, reader) < loss / 2
    after = reader.adapter.state_dict()
    half = TRACED.rank
    for name, value in before.items():
        if name.endswith(("memory_k_proj", "memory_q_proj")):
            assert torch.equal(after[name][:half], value[:half]) and not torch.equal(after[name], value)
        elif ".trace_" not in name:
            assert torch.equal(after[name], value), name


def location_of(batch: Batch, reader: Reader) -> float:
    model, layers = reader.backbone.model, reader.adapter.layer_indices
    with torch.no_grad(), attention_inputs(model, layers) as written:
        state = write_batch(batch, reader)
    with torch.no_grad(), attention_inputs(model, layers) as asked:
        score_reads(batch, state, reader)
    with torch.no_grad():
        return float(location_loss(batch, written, asked, reader))
