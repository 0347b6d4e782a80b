import random

import pytest
import torch
from tiny import tiny_reader

from dmdoc.memory.state import MemoryState
from dmdoc.model import continuations
from dmdoc.model.continuations import (
    hear_continuations,
    hear_next,
    pack_continuations,
    score_continuations,
)
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

PROMPTS = [[3, 1, 4, 1, 5, 9], [2, 7, 1]]
CONTINUATIONS = [
    [[10, 11, 12], [10, 11, 13, 14], [10, 11], [20], [10, 11, 12]],
    [[30, 31], [31, 30, 31, 30, 31]],
]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader(transformers=True)


@pytest.fixture(scope="module")
def state(reader: Reader) -> MemoryState:
    generator = torch.Generator().manual_seed(3)
    zero = reader.zero_state(2)
    return MemoryState(tuple(torch.randn(layer.shape, generator=generator) for layer in zero.layers))


def alone(prompt: list[int], continuation: list[int], state: MemoryState | None, reader: Reader) -> float:
    with torch.no_grad(), reader.reading(state) as model:
        logits = model(input_ids=torch.tensor([[*prompt, *continuation]])).logits[0]
    said = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    return float(said[torch.arange(len(continuation)), torch.tensor(continuation)].mean())


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_scores_are_those_of_separate_passes(reader: Reader, state: MemoryState, attention: str) -> None:
    reader.backbone.model.set_attn_implementation(attention)
    packed = pack_continuations(PROMPTS, CONTINUATIONS, pad_id=0, dtype=torch.float32)
    with torch.no_grad():
        scores = score_continuations(packed, state, reader)

    assert scores.shape == (2, 5)
    assert scores[1, 2:].tolist() == [0, 0, 0]
    for row, (prompt, tree) in enumerate(zip(PROMPTS, CONTINUATIONS, strict=True)):
        own = state.rows(row, row + 1)
        for at, continuation in enumerate(tree):
            assert float(scores[row, at]) == pytest.approx(alone(prompt, continuation, own, reader), abs=1e-5)


def test_what_continuations_begin_with_is_computed_once() -> None:
    packed = pack_continuations(PROMPTS[:1], CONTINUATIONS[:1], pad_id=0, dtype=torch.float32)

    assert packed.input_ids.tolist() == [[3, 1, 4, 1, 5, 9, 10, 11, 13]]
    assert packed.position_ids.tolist() == [[0, 1, 2, 3, 4, 5, 6, 7, 8]]
    assert packed.supervised.tolist() == [5, 6, 7, 8]


def test_those_that_begin_alike_are_a_block_of_their_own() -> None:
    mixed = [[10, 11], [20, 21, 22], [10, 12, 13], [30], [20, 23, 24]]
    packed = pack_continuations(PROMPTS[:1], [mixed], pad_id=0, dtype=torch.float32)

    assert packed.block_widths == (6, 2, 3)
    assert packed.input_ids[0, 6:].tolist() == [10, 12, 20, 21, 23]
    seen = packed.attention_mask[0, 0, 6:, 6:] == 0
    assert not bool(seen[2:, :2].any()) and bool(seen[1, 0])


def test_more_than_go_into_one_pass_score_the_same(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(0)
    many = [[draw.randrange(256) for _ in range(draw.randrange(1, 6))] for _ in range(30)]
    together = hear_continuations(PROMPTS[0], many, None, reader).log_likelihoods
    monkeypatch.setattr(continuations, "TREE_TOKENS", 7)

    parted = hear_continuations(PROMPTS[0], many, None, reader).log_likelihoods
    assert torch.allclose(parted, together, atol=1e-5)
    assert float(together[0]) == pytest.approx(alone(PROMPTS[0], many[0], None, reader), abs=1e-5)


def test_scores_differentiate_in_the_state(reader: Reader, state: MemoryState) -> None:
    layers = tuple(layer.clone().requires_grad_() for layer in state.layers)
    packed = pack_continuations(PROMPTS, CONTINUATIONS, pad_id=0, dtype=torch.float32)
    total = score_continuations(packed, MemoryState(layers), reader).sum()

    assert all(float(grad.abs().sum()) > 0 for grad in torch.autograd.grad(total, layers))


@pytest.mark.parametrize("most", [continuations.TREE_TOKENS, 4])
def test_what_the_model_says_itself_is_heard_as_far_as_a_continuation_goes(
    reader: Reader, state: MemoryState, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(continuations, "TREE_TOKENS", most)
    own, settings = state.rows(0, 1), GenerationSettings(max_tokens=5)
    said = reader.generate(PROMPTS[0], own, settings)
    assert len(said) > 2
    for shared in range(len(said)):
        other = [(said[shared] + 1) % 256, 9]
        many = [[40, 41], [*said[:shared], *other], [*said[:shared], said[shared]]]
        heard = hear_continuations(PROMPTS[0], many, own, reader)
        assert heard.own == tuple(said[: shared + 1])


def test_what_follows_a_prompt_is_heard_under_each_state(reader: Reader, state: MemoryState) -> None:
    heard = hear_next(PROMPTS[0], state, reader)
    assert heard.shape == (2, heard.shape[1])
    assert torch.allclose(heard.exp().sum(-1), torch.ones(2), atol=1e-5)
    assert not torch.allclose(heard[0], heard[1], atol=1e-3)
    for row in range(2):
        for token in (0, 9, 200):
            expected = alone(PROMPTS[0], [token], state.rows(row, row + 1), reader)
            assert float(heard[row, token]) == pytest.approx(expected, abs=1e-5)
