"""Where training starts: from the weights of another adapter, or as a copier that already tells tokens apart.

Of a copier, keys and queries are the same whitened directions of what the layer sees, so that a text met again
finds what was written there; values are what tells the layer's tokens from others (the unembedding of each, by
ridge regression), and the output correction adds a little of that back, so that any word can be said again, those
that training never shows as well. With a λ of its own the state forgets almost nothing (λ ≈ 1). From a random start,
answer losses teach the form of an answer and nothing of recall.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from dmdoc.errors import TrainingError
from dmdoc.memory.adapter import DeltaMemAdapter, DeltaMemLayer
from dmdoc.memory.adapter_config import OUR_FIELDS
from dmdoc.memory.adapter_file import load_adapter
from dmdoc.memory.attach import attention_inputs, attention_layers, attention_sizes
from dmdoc.model.reader import Reader
from dmdoc.text.chunking import Chunk

LAMBDA_BIAS = 7.0
"""λ = sigmoid(7): half of what is written is still there 760 tokens later."""

OUTPUT_GAIN = 5.0
"""How strongly a value of mean size pushes its token, in unembeddings of mean size, before alpha / rank."""

RIDGE = 1e-2
"""Regularisation of the values, as a share of the mean square of what a layer sees."""

SKIPPED_DIRECTIONS = 4
"""The strongest directions of a decoder's activations are nearly alike for every token: useless as keys."""


def start_from_adapter(adapter: DeltaMemAdapter, reader: Reader, folder: Path) -> bool:
    """Set the weights of `adapter` to those of the adapter in `folder`, which may be fed otherwise.

    Where `adapter` traces its keys and that one did not, the gates of the trace stay as they start.

    Returns:
        Whether that one traced its keys.

    Raises:
        AdapterError: there is no adapter in the folder, or it was trained for another backbone.
        TrainingError: it has another shape.
    """
    given, _ = load_adapter(folder, name=str(folder), sizes=attention_sizes(reader.backbone.model))
    asked, found = asdict(adapter.config), asdict(given.config)
    # Where the first bias began says nothing of where a trained one stands.
    shaping = asked.keys() - {*OUR_FIELDS, "beta_bias_init"} | {"shifts_keys"}
    differing = [
        f"{name} {found[name]!r}" for name in asked if name in shaping and asked[name] != found[name]
    ]
    if differing:
        raise TrainingError(
            f"the adapter in {folder} has {', '.join(differing)}; give [adapter] the same, or start without it"
        )
    untrained = {} if given.config.traces_keys else _trace_gates(adapter)
    adapter.load_state_dict({**untrained, **given.state_dict()})
    return given.config.traces_keys


def _trace_gates(adapter: DeltaMemAdapter) -> dict[str, Tensor]:
    return {name: value for name, value in adapter.state_dict().items() if ".trace_" in name}


def start_as_copier(adapter: DeltaMemAdapter, reader: Reader, sample: Sequence[Chunk], seed: int) -> None:
    """Set the weights of `adapter` from what the layers of the backbone see when they read `sample`.

    Raises:
        TrainingError: a layer is too narrow for rank * num_state_heads different keys.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs = _layer_inputs(reader, sample)
    targets = _unembeddings(reader, sample)
    for position, index in enumerate(adapter.layer_indices):
        _start_layer(adapter.layer(position), inputs[index], targets, generator)


@torch.no_grad()
def _start_layer(layer: DeltaMemLayer, inputs: Tensor, targets: Tensor, generator: torch.Generator) -> None:
    size, hidden = layer.config.read_size, inputs.shape[1]
    if SKIPPED_DIRECTIONS + size > hidden:
        raise TrainingError(
            f"rank * num_state_heads is {size}, but a layer of {hidden} features has only "
            f"{hidden - SKIPPED_DIRECTIONS} directions that can serve as keys; lower one of the two"
        )
    strengths, directions = principal_directions(inputs)
    candidates = slice(SKIPPED_DIRECTIONS, SKIPPED_DIRECTIONS + 2 * size)
    whitened = directions[candidates] / strengths[candidates, None]
    layer.memory_q_proj.copy_(random_turn(len(whitened), generator)[:size] @ whitened)
    layer.memory_k_proj.copy_(layer.memory_q_proj)

    shown = random_turn(hidden, generator)[:size]  # the directions of a token that this layer keeps
    values = shown @ _ridge(inputs, targets).T
    layer.memory_v_proj.copy_(values / (inputs @ values.T).square().mean().sqrt())
    if "o" in layer.config.delta_heads:
        layer.get_parameter("delta_o_proj").copy_(OUTPUT_GAIN * targets.square().mean().sqrt() * shown.T)
    if not layer.config.couple_lambda:
        layer.lambda_bias.fill_(LAMBDA_BIAS)


def _ridge(inputs: Tensor, targets: Tensor) -> Tensor:
    """The linear map `[hidden, hidden]` that best turns rows of `inputs` into those of `targets`."""
    moment = inputs.T @ inputs
    penalty = RIDGE * len(inputs) * inputs.square().mean()
    solved: Tensor = torch.linalg.solve(moment + penalty * torch.eye(len(moment)), inputs.T @ targets)
    return solved


def _unembeddings(reader: Reader, sample: Sequence[Chunk]) -> Tensor:
    """What makes each token of the sample likely, less what makes all: `[tokens, hidden]` float32, on the CPU."""
    weight: Tensor = reader.backbone.model.get_output_embeddings().weight.detach()
    ids = torch.tensor([token for chunk in sample for token in chunk.token_ids], device=weight.device)
    return weight[ids].float().sub(weight.float().mean(0)).cpu()


def random_turn(size: int, generator: torch.Generator) -> Tensor:
    turn: Tensor = torch.linalg.qr(torch.randn(size, size, generator=generator)).Q
    return turn


def _layer_inputs(reader: Reader, sample: Sequence[Chunk]) -> list[Tensor]:
    """The input of every attention layer, one row a token: `[tokens, hidden]` float32, on the CPU."""
    model = reader.backbone.model
    layers = range(len(attention_layers(model)))
    seen: list[list[Tensor]] = [[] for _ in layers]
    with torch.no_grad(), attention_inputs(model, layers) as inputs:
        for chunk in sample:
            ids = torch.tensor([chunk.token_ids], device=reader.backbone.device)
            model.get_decoder()(input_ids=ids, use_cache=False)
            for rows, hidden in zip(seen, inputs, strict=True):
                rows.append(hidden[0].float().cpu())
    return [torch.cat(rows) for rows in seen]


def principal_directions(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Root mean squares `[hidden]` along the principal directions, and these as rows `[hidden, hidden]`.

    Strongest first; of the raw second moment, without centring: a projection has no bias that could take a
    mean away.
    """
    moment = inputs.T @ inputs / len(inputs)
    squares, directions = torch.linalg.eigh(moment)
    strengths = squares.flip(0).clamp_min(1e-6 * float(squares.max())).sqrt()
    return strengths, directions.T.flip(0)
