import pytest
import torch
from tiny_training import ADAPTER, tiny_backbone
from torch import Tensor
from torch.nn.functional import cosine_similarity

from dmdoc.errors import TrainingError
from dmdoc.memory.adapter import DeltaMemAdapter, DeltaMemConfig
from dmdoc.memory.attach import attention_layers, attention_sizes
from dmdoc.memory.state_header import Identity
from dmdoc.model.reader import Reader
from dmdoc.training.initial import start_as_copier
from dmdoc.training.reads import write_chunk

TEXTS = (
    "The harbour closes at nine.",
    "Marta Ruiz keeps 40 bees; two hives are grey.",
    "A loaf costs 3.20 today.",
)


def copier(config: DeltaMemConfig = ADAPTER, *, seed: int = 0) -> Reader:
    backbone = tiny_backbone()
    adapter = DeltaMemAdapter(config, attention_sizes(backbone.model))
    reader = Reader(backbone, adapter, Identity("copier", ""))
    start_as_copier(adapter, reader, [write_chunk(text, reader) for text in TEXTS], seed)
    return reader


def layer_inputs(reader: Reader, ids: Tensor) -> list[Tensor]:
    seen: list[Tensor] = []
    layers = attention_layers(reader.backbone.model)
    handles = [
        layer.register_forward_pre_hook(
            lambda _m, _a, kwargs: seen.append(kwargs["hidden_states"]), with_kwargs=True
        )
        for layer in layers
    ]
    with torch.no_grad():
        reader.backbone.model(input_ids=ids)
    for handle in handles:
        handle.remove()
    return seen


def test_with_a_zero_state_a_copier_is_the_frozen_backbone() -> None:
    reader = copier()
    ids = torch.tensor([reader.encode(TEXTS[0])])
    with torch.no_grad():
        bare = reader.backbone.model(input_ids=ids).logits
        with reader.reading(reader.zero_state()) as model:
            attached = model(input_ids=ids).logits

    assert torch.equal(bare, attached)


def test_a_state_gives_the_values_of_its_own_text_back_better_than_another() -> None:
    reader = copier()
    documents = ("bad cabbage faced", "sly motors smoulf")
    with torch.no_grad():
        own, donor = (reader.write([write_chunk(text, reader)], reader.zero_state()) for text in documents)
    inputs = layer_inputs(reader, torch.tensor([reader.encode(documents[0])]))
    for position, hidden in enumerate(inputs):
        layer = reader.adapter.layer(position)
        with torch.no_grad():
            queries, values = layer.queries(hidden), layer.write_inputs(hidden).values
        recalled, other = (
            cosine_similarity(queries @ state.layers[position].transpose(-1, -2), values, dim=-1).mean()
            for state in (own, donor)
        )
        assert float(recalled) > float(other) + 0.1


def test_a_value_read_back_makes_its_own_token_likelier_than_others() -> None:
    reader = copier()
    ids = reader.encode(TEXTS[1])
    unembedding = reader.backbone.model.get_output_embeddings().weight
    pushed = torch.zeros(len(ids), len(unembedding))
    with torch.no_grad():
        for position, hidden in enumerate(layer_inputs(reader, torch.tensor([ids]))):
            layer = reader.adapter.layer(position)
            values = layer.write_inputs(hidden).values
            readout = layer.readout(values, hidden.dtype)
            pushed += (layer.corrected("o", torch.zeros_like(hidden), readout) @ unembedding.T)[0]
    own = pushed[torch.arange(len(ids)), ids]

    assert float(((pushed > own[:, None]).float().mean(1) < 0.1).float().mean()) > 0.8


def test_keys_tell_tokens_apart() -> None:
    reader = copier()
    hidden = layer_inputs(reader, torch.tensor([reader.encode("abcdefghij")]))[0]
    with torch.no_grad():
        layer = reader.adapter.layer(0)
        matches = layer.queries(hidden) @ layer.write_inputs(hidden).keys.transpose(
            -1, -2
        )  # [1, heads, time, time]
    own = matches.diagonal(dim1=-2, dim2=-1)
    others = matches - torch.diag_embed(own)

    assert torch.allclose(own, torch.ones_like(own), atol=1e-5)
    assert float(others.abs().mean()) < 0.6


def test_the_state_hardly_forgets_at_the_start() -> None:
    reader = copier()
    hidden = layer_inputs(reader, torch.tensor([reader.encode(TEXTS[0])]))[0]
    with torch.no_grad():
        keep = reader.adapter.layer(0).write_inputs(hidden).keep

    assert float(keep.min()) > 0.99


def test_the_start_depends_on_the_seed_alone() -> None:
    first, again, other = (copier(seed=seed).adapter.layer(0) for seed in (1, 1, 2))

    assert torch.equal(first.memory_q_proj, again.memory_q_proj)
    assert not torch.equal(first.memory_q_proj, other.memory_q_proj)


def test_only_layers_with_a_memory_are_started() -> None:
    reader = copier(DeltaMemConfig(rank=4, target_layers=(1,), delta_heads=("q",), write_layout="plain"))

    assert len(reader.adapter.layers) == 1
    assert torch.equal(reader.adapter.layer(0).memory_q_proj, reader.adapter.layer(0).memory_k_proj)


def test_more_keys_than_a_layer_has_directions_are_refused() -> None:
    with pytest.raises(
        TrainingError, match=r"rank \* num_state_heads is 32, but a layer of 32 features has only 28"
    ):
        copier(DeltaMemConfig(rank=16, num_state_heads=2))


def test_no_hook_is_left_behind() -> None:
    reader = copier()

    assert not any(layer._forward_pre_hooks for layer in attention_layers(reader.backbone.model))
