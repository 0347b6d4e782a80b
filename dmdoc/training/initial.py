"""Where an untrained adapter starts: as a copier that already tells tokens apart.

Keys and queries are the same whitened directions of what the layer sees, so that a text met again finds what was
written there; values are its strongest directions, and the output correction adds a little of them back. The state
forgets almost nothing (λ ≈ 1). From a random start, answer losses teach the form of an answer and nothing of recall.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from dmdoc.adapter import DeltaMemAdapter
from dmdoc.attach import attention_layers
from dmdoc.chunking import Chunk
from dmdoc.reader import Reader

LAMBDA_BIAS = 7.0
OUTPUT_GAIN = 0.05
SKIPPED_DIRECTIONS = 4
"""The strongest directions of a decoder's activations are nearly the same for every token: useless as keys."""


def start_as_copier(adapter: DeltaMemAdapter, reader: Reader, sample: Sequence[Chunk], seed: int) -> None:
    """Set the weights of `adapter` from what the layers of the backbone see when they read `sample`."""
    generator = torch.Generator().manual_seed(seed)
    inputs = _layer_inputs(reader, sample)
    with torch.no_grad():
        for position, index in enumerate(adapter.layer_indices):
            layer = adapter.layer(position)
            strengths, directions = _principal_directions(inputs[index])
            size = adapter.config.read_size
            whitened = directions[SKIPPED_DIRECTIONS : SKIPPED_DIRECTIONS + 2 * size]
            whitened = whitened / strengths[SKIPPED_DIRECTIONS : SKIPPED_DIRECTIONS + 2 * size, None]
            mixing, _ = torch.linalg.qr(torch.randn(len(whitened), len(whitened), generator=generator))
            layer.memory_q_proj.copy_(mixing[:size] @ whitened)
            layer.memory_k_proj.copy_(layer.memory_q_proj)
            values = directions[SKIPPED_DIRECTIONS : SKIPPED_DIRECTIONS + size]
            scale = strengths[SKIPPED_DIRECTIONS : SKIPPED_DIRECTIONS + size].mean()
            turn, _ = torch.linalg.qr(torch.randn(len(values), len(values), generator=generator))
            layer.memory_v_proj.copy_(turn @ values / scale)
            if "o" in adapter.config.delta_heads:
                layer.get_parameter("delta_o_proj").copy_(OUTPUT_GAIN * scale * (turn @ values).T)
            if not adapter.config.couple_lambda:
                layer.lambda_bias.fill_(LAMBDA_BIAS)


def _layer_inputs(reader: Reader, sample: Sequence[Chunk]) -> list[Tensor]:
    """The input of every attention layer, one row a token: `[tokens, hidden]` float32."""
    found: list[list[Tensor]] = []
    handles = []
    for attention in attention_layers(reader.backbone.model):
        seen: list[Tensor] = []
        found.append(seen)

        def keep(_module: object, args: tuple[Tensor, ...], kwargs: dict[str, Tensor], seen: list[Tensor] = seen) -> None:
            seen.append((kwargs["hidden_states"] if "hidden_states" in kwargs else args[0])[0].float().cpu())

        handles.append(attention.register_forward_pre_hook(keep, with_kwargs=True))
    try:
        with torch.no_grad():
            for chunk in sample:
                ids = torch.tensor([chunk.token_ids], device=reader.backbone.device)
                reader.backbone.model.get_decoder()(input_ids=ids, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return [torch.cat(seen) for seen in found]


def _principal_directions(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Root mean squares `[hidden]` along, and rows `[hidden, hidden]` of, the principal directions; strongest first.

    Of the raw second moment, without centring: a projection has no bias that could take a mean away.
    """
    moment = inputs.T @ inputs / len(inputs)
    squares, directions = torch.linalg.eigh(moment)
    strengths = squares.flip(0).clamp_min(1e-6 * float(squares.max())).sqrt()
    return strengths, directions.T.flip(0)
