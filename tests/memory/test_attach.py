import importlib
from typing import Any

import pytest
import torch
from tiny import SIZES, tiny_adapter, tiny_model
from torch import Tensor, nn

from dmdoc.errors import BackboneError, StateShapeError
from dmdoc.memory.adapter import DeltaMemAdapter, DeltaMemConfig
from dmdoc.memory.attach import EnoughSeen, MemoryPass, attention_layers, attention_sizes
from dmdoc.memory.delta_rule import delta_rule
from dmdoc.memory.state import MemoryState

SUPPORTED = {
    "Qwen2Config": {},
    "Qwen3Config": {"head_dim": 8},
    "LlamaConfig": {},
    "MistralConfig": {"head_dim": 8},
    "SmolLM3Config": {},
    "Gemma2Config": {"head_dim": 8},
    "Gemma3TextConfig": {"head_dim": 8},
    "Olmo2Config": {},
    "GraniteConfig": {},
    "CohereConfig": {},
}
GRANULARITIES = ("token", "message_mean", "sentence_mean")


def model_of(name: str) -> Any:
    config = getattr(importlib.import_module("transformers"), name)
    return tiny_model(config(**SIZES, num_hidden_layers=2, **SUPPORTED.get(name, {})))


@pytest.fixture(params=SUPPORTED)
def model(request: pytest.FixtureRequest) -> Any:
    return model_of(request.param)


@pytest.fixture
def qwen3() -> Any:
    return tiny_model()


def tokens(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed))


def zero(adapter: DeltaMemAdapter, batch: int = 1) -> MemoryState:
    return MemoryState.zeros(*adapter.state_shape, batch=batch)


def random_state(adapter: DeltaMemAdapter, batch: int = 1) -> MemoryState:
    layers, heads, rank = adapter.state_shape
    generator = torch.Generator().manual_seed(5)
    return MemoryState(
        tuple(torch.randn(batch, heads, rank, rank, generator=generator) for _ in range(layers))
    )


def read(model: Any, adapter: DeltaMemAdapter, ids: Tensor, state: MemoryState) -> Tensor:
    with torch.no_grad(), MemoryPass(adapter, state).attached(model):
        logits: Tensor = model(input_ids=ids, use_cache=False).logits
    return logits


def write(
    model: Any, adapter: DeltaMemAdapter, ids: Tensor, state: MemoryState, mask: Tensor | None = None
) -> MemoryState:
    """Every unmasked token writes; sentences are of five tokens, a message is the whole text."""
    mask = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
    segments = {
        "token": None,
        "message_mean": torch.zeros_like(ids),
        "sentence_mean": torch.arange(ids.shape[1]).expand_as(ids) // 5,
    }[adapter.config.memory_write_granularity]
    memory = MemoryPass(adapter, state, write_mask=mask, segment_ids=segments)
    with torch.no_grad(), memory.attached(model):
        model.get_decoder()(input_ids=ids, use_cache=False)
    return memory.state_out


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def distance(first: MemoryState, second: MemoryState) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(first.layers, second.layers, strict=True))


# ── every supported architecture ──


def test_an_empty_memory_is_the_frozen_model_token_for_token(model: Any) -> None:
    config = DeltaMemConfig(delta_heads=("q", "k", "v", "o"))
    adapter, ids = tiny_adapter(model, config), tokens(2, 30)
    with torch.no_grad():
        frozen = model(input_ids=ids, use_cache=False).logits

    assert torch.equal(read(model, adapter, ids, zero(adapter, batch=2)), frozen)


def test_a_memory_is_written_and_read_everywhere(model: Any) -> None:
    adapter, ids = tiny_adapter(model), tokens(1, 40)
    state = zero(adapter)
    for chunk in torch.split(ids, 15, dim=1):
        after = write(model, adapter, chunk, state)
        for layer_before, layer_after in zip(state.layers, after.layers, strict=True):
            assert not torch.equal(layer_before, layer_after)
        state = after

    assert all(layer.isfinite().all() for layer in state.layers)
    without = read(model, adapter, ids[:, :9], zero(adapter))
    assert float((read(model, adapter, ids[:, :9], state) - without).abs().max()) > 1e-4


@pytest.mark.parametrize("seen", [1, 20])
def test_reading_with_a_key_value_cache_changes_nothing(model: Any, seen: int) -> None:
    adapter, ids = tiny_adapter(model), tokens(1, 24)
    state = random_state(adapter)
    whole = read(model, adapter, ids, state)
    with torch.no_grad(), MemoryPass(adapter, state).attached(model):
        first = model(input_ids=ids[:, :seen], use_cache=True)
        rest = model(input_ids=ids[:, seen:], past_key_values=first.past_key_values).logits

    torch.testing.assert_close(torch.cat((first.logits, rest), dim=1), whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["Phi3Config", "GPTNeoXConfig", "BertConfig"])
def test_an_architecture_without_separate_projections_is_refused_in_one_line(name: str) -> None:
    refused = model_of(name) if name != "BertConfig" else nn.Linear(2, 2)
    with pytest.raises(BackboneError, match=r"is not supported: .*q_proj") as raised:
        attention_layers(refused)
    assert "\n" not in str(raised.value)
    assert type(refused).__name__ in str(raised.value)


def test_the_widths_of_attention_layers(qwen3: Any) -> None:
    assert [tuple(sizes) for sizes in attention_sizes(qwen3)] == [(32, 32, 16, 16, 32)] * 2


# ── writing ──


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_padding_leaves_the_state_of_a_short_text_alone(granularity: Any, qwen3: Any) -> None:
    adapter = tiny_adapter(qwen3, DeltaMemConfig(memory_write_granularity=granularity))
    ids = tokens(3, 40)
    lengths = torch.tensor([40, 17, 1])
    mask = torch.arange(40) < lengths[:, None]
    together = write(qwen3, adapter, ids, random_state(adapter, batch=3), mask)
    for row, length in enumerate(lengths.tolist()):
        before = random_state(adapter, batch=3).select(torch.tensor([row]))
        alone = write(qwen3, adapter, ids[row : row + 1, :length], before)
        assert distance(together.select(torch.tensor([row])), alone) < 1e-5


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_a_text_that_is_all_padding_leaves_its_state_alone(granularity: Any, qwen3: Any) -> None:
    adapter = tiny_adapter(qwen3, DeltaMemConfig(memory_write_granularity=granularity))
    state, mask = random_state(adapter, batch=2), torch.tensor([[True] * 9, [False] * 9])
    after = write(qwen3, adapter, tokens(2, 9), state, mask)

    assert after.select(torch.tensor([1])).equals(state.select(torch.tensor([1])))
    assert distance(after.select(torch.tensor([0])), state.select(torch.tensor([0]))) > 1e-3
    nothing = write(qwen3, adapter, tokens(2, 9), state, torch.zeros_like(mask))
    assert nothing.equals(state)


def test_a_pass_without_a_write_mask_gives_its_state_back(qwen3: Any) -> None:
    adapter = tiny_adapter(qwen3)
    state = random_state(adapter)
    memory = MemoryPass(adapter, state)
    with torch.no_grad(), memory.attached(qwen3):
        qwen3(input_ids=tokens(1, 5))
    assert memory.state_out is state


def test_neither_writing_nor_reading_touches_what_went_in(qwen3: Any) -> None:
    adapter = tiny_adapter(qwen3)
    state, weights = random_state(adapter), {name: w.clone() for name, w in qwen3.state_dict().items()}
    before = [layer.clone() for layer in state.layers]
    write(qwen3, adapter, tokens(1, 50), state)
    read(qwen3, adapter, tokens(1, 50), state)

    assert all(torch.equal(old, new) for old, new in zip(before, state.layers, strict=True))
    assert qwen3.state_dict().keys() == weights.keys()
    assert all(torch.equal(weights[name], weight) for name, weight in qwen3.state_dict().items())


def test_a_bfloat16_model_keeps_a_float32_state() -> None:
    model = tiny_model().to(torch.bfloat16)
    adapter = tiny_adapter(model).to(torch.bfloat16)
    state = write(model, adapter, tokens(1, 50), zero(adapter))

    assert {layer.dtype for layer in state.layers} == {torch.float32}
    assert not torch.equal(state.layers[0], state.layers[0].bfloat16().float())
    assert read(model, adapter, tokens(1, 5), state).dtype == torch.bfloat16


def test_only_the_chosen_layers_have_a_memory() -> None:
    model = tiny_model(layers=3)
    adapter = tiny_adapter(model, DeltaMemConfig(target_layers=(1,)))
    state = write(model, adapter, tokens(1, 20), zero(adapter))

    assert state.shape == (1, 1, 1, 8)
    assert state.layers[0].any()


def test_corrections_while_writing_reach_the_layers_above(qwen3: Any) -> None:
    states = []
    for corrects in (True, False):
        adapter = tiny_adapter(qwen3, DeltaMemConfig(corrects_while_writing=corrects))
        states.append(write(qwen3, adapter, tokens(1, 30), zero(adapter)))

    assert torch.equal(states[0].layers[0], states[1].layers[0])
    assert not torch.equal(states[0].layers[1], states[1].layers[1])


# ── writing without corrections ──


def layer_inputs(model: Any, ids: Tensor) -> list[Tensor]:
    """What every attention layer of the frozen model sees: `[batch, time, hidden]`."""
    seen: list[Tensor] = []
    handles = [
        layer.register_forward_pre_hook(
            lambda _module, _args, kwargs: seen.append(kwargs["hidden_states"]), with_kwargs=True
        )
        for layer in attention_layers(model)
    ]
    with torch.no_grad():
        model.get_decoder()(input_ids=ids, use_cache=False)
    for handle in handles:
        handle.remove()
    return seen


def test_two_chunks_are_one_scan_over_what_the_layers_saw(qwen3: Any) -> None:
    adapter = tiny_adapter(qwen3, DeltaMemConfig(corrects_while_writing=False))
    chunks = torch.split(tokens(1, 60), 35, dim=1)
    state = zero(adapter)
    for chunk in chunks:
        state = write(qwen3, adapter, chunk, state)

    inputs = zip(*(layer_inputs(qwen3, chunk) for chunk in chunks), strict=True)
    for position, seen in enumerate(inputs):
        written = adapter.layer(position).write_inputs(torch.cat(seen, dim=1))
        _, expected = delta_rule(None, *written, torch.zeros(1, 1, 8, 8))
        torch.testing.assert_close(state.layers[position], expected, atol=1e-5, rtol=1e-5)


def test_a_writing_pass_without_corrections_trains_through_no_backbone(qwen3: Any) -> None:
    """The model may run under no_grad: the writes are differentiated all the same."""
    adapter = tiny_adapter(qwen3, DeltaMemConfig(corrects_while_writing=False)).requires_grad_(True)
    ids = tokens(1, 40)
    memory = MemoryPass(adapter, zero(adapter), write_mask=torch.ones_like(ids, dtype=torch.bool))
    with memory.attached(qwen3), torch.no_grad():
        output = qwen3.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
    assert not output.requires_grad

    torch.stack(memory.state_out.layers).square().sum().backward()  # type: ignore[no-untyped-call]
    for position in range(2):
        for name in ("memory_k_proj", "memory_v_proj", "beta_proj", "beta_bias"):
            gradient = adapter.layer(position).get_parameter(name).grad
            assert gradient is not None and gradient.isfinite().all() and gradient.any(), name
        assert adapter.layer(position).memory_q_proj.grad is None


# ── hooks ──


class Stop(Exception):
    pass


def test_hooks_are_gone_after_success_and_after_errors(qwen3: Any) -> None:
    adapter, ids = tiny_adapter(qwen3), tokens(1, 5)
    assert hooks(qwen3) == 0
    with MemoryPass(adapter, zero(adapter)).attached(qwen3):
        assert hooks(qwen3) == 6  # for each layer the input, q and o
    assert hooks(qwen3) == 0

    with pytest.raises(Stop), MemoryPass(adapter, zero(adapter)).attached(qwen3):
        raise Stop
    assert hooks(qwen3) == 0

    mask = torch.ones_like(ids, dtype=torch.bool)
    leaving = MemoryPass(adapter, zero(adapter), write_mask=mask, stop_after_writing=True)
    with pytest.raises(EnoughSeen), leaving.attached(qwen3):
        qwen3(input_ids=ids)
    assert hooks(qwen3) == 0

    with pytest.raises(StateShapeError), MemoryPass(adapter, zero(adapter, batch=2)).attached(qwen3):
        qwen3(input_ids=ids)
    assert hooks(qwen3) == 0


def test_an_adapter_for_more_layers_than_the_model_has_leaves_no_hooks(qwen3: Any) -> None:
    adapter = tiny_adapter(tiny_model(layers=3))
    refused = pytest.raises(StateShapeError, match="beside layer 2, Qwen3ForCausalLM has 2 layers")
    with refused, MemoryPass(adapter, zero(adapter)).attached(qwen3):
        pass
    assert hooks(qwen3) == 0


# ── states that do not fit ──


@pytest.mark.parametrize("shape", [(3, 1, 8), (2, 2, 8), (2, 1, 4)])
def test_a_state_of_another_adapter_is_refused(shape: tuple[int, int, int], qwen3: Any) -> None:
    with pytest.raises(StateShapeError, match=r"the adapter needs \(2, 1, 8\)"):
        MemoryPass(tiny_adapter(qwen3), MemoryState.zeros(*shape))


@pytest.mark.parametrize(("texts", "states"), [(1, 2), (2, 1), (3, 2)])
@pytest.mark.parametrize("writes", [True, False])
def test_as_many_states_as_texts_are_needed(texts: int, states: int, writes: bool, qwen3: Any) -> None:
    adapter = tiny_adapter(qwen3)
    with pytest.raises(StateShapeError, match=f"batch {states} on cpu .* batch {texts} on cpu"):
        (write if writes else read)(qwen3, adapter, tokens(texts, 5), zero(adapter, batch=states))


def test_a_state_on_another_device_is_refused(qwen3: Any) -> None:
    adapter = tiny_adapter(qwen3)
    with pytest.raises(StateShapeError, match="on meta cannot serve an input of batch 1 on cpu"):
        read(qwen3, adapter, tokens(1, 5), zero(adapter).to("meta"))


def test_a_write_mask_of_another_shape_is_refused(qwen3: Any) -> None:
    adapter = tiny_adapter(qwen3)
    with pytest.raises(StateShapeError, match=r"mask is \[1, 4\], the input \[1, 5\]"):
        write(qwen3, adapter, tokens(1, 5), zero(adapter), torch.ones(1, 4, dtype=torch.bool))


def test_mean_writes_need_to_know_the_segments(qwen3: Any) -> None:
    adapter = tiny_adapter(qwen3, DeltaMemConfig(memory_write_granularity="message_mean"))
    with pytest.raises(StateShapeError, match="needs segment_ids"):
        MemoryPass(adapter, zero(adapter), write_mask=torch.ones(1, 5, dtype=torch.bool))
