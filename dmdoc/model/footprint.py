"""What passes of a reader take of the memory, in bytes, before they are run: from the sizes of its model and adapter.

Estimates, a little high: what lives at once at the largest moment of a pass. Knows nothing about documents.
"""

import torch
from torch import Tensor

from dmdoc.memory.attach import attention_sizes
from dmdoc.memory.delta_rule import CHUNK
from dmdoc.model.reader import Reader

_FLOAT = 4
"""Bytes of a number of the memory, and of a logit in the loss."""

_SPARE = 1.15
"""An allocator does not fill all that it takes, and a pass has small things that are not counted here."""


def weight_bytes(reader: Reader) -> int:
    """The model and the adapter; weights that are shared count once."""
    tensors: list[Tensor] = [*reader.backbone.model.parameters(), *reader.adapter.parameters()]
    return sum({tensor.data_ptr(): tensor.nbytes for tensor in tensors}.values())


def write_bytes(reader: Reader, tokens: int) -> int:
    """Writing so many tokens in one pass, padding included, however many rows they are; beside the weights.

    A layer's results are freed before those of the next. The largest moment is that of the feed-forward part (its
    three wide results), of attention (five forms of the queries) or of the memory's scan.
    """
    sizes = attention_sizes(reader.backbone.model)[0]
    inside = 3 * reader.backbone.feed_forward_size
    attention = 5 * sizes.q + 2 * (sizes.k + sizes.v)
    model = (2 * sizes.hidden + max(inside, attention)) * reader.backbone.dtype.itemsize
    rows = 3 if reader.backbone.packs_texts else 2  # what stands end to end is padded for the scan
    scan = rows * sizes.hidden * reader.backbone.dtype.itemsize + _FLOAT * _scan_numbers(reader)
    return int(_SPARE * tokens * max(model, scan))


def _scan_numbers(reader: Reader) -> int:
    """Of a token in the chunked scan: triangular systems, their solutions, a map a chunk, and what goes in."""
    config = reader.adapter.config
    gate_rows = config.rank if config.rankwise_gates else 1
    solved = config.rank // gate_rows + config.rank  # right-hand sides of a gate row
    row = 4 * CHUNK + 8 * solved + 2 * solved * config.rank // CHUNK
    return config.num_state_heads * (gate_rows * row + 6 * config.rank)


def refine_bytes(reader: Reader, rows: int, columns: int, supervised: int) -> int:
    """A step of refinement on so many rows of packed reads in one pass; beside the weights.

    Every layer keeps what its gradients need until the pass goes backwards. The weights get no gradients, so that
    the inputs of matrix products are not among it.

    Args:
        columns: of a row.
        supervised: columns of a row whose logits are needed.
    """
    sizes, own = attention_sizes(reader.backbone.model)[0], reader.backbone.dtype.itemsize
    inside = 3 * reader.backbone.feed_forward_size
    kept = reader.backbone.layer_count * (inside + 4 * sizes.hidden + 6 * sizes.q)
    column = (kept + inside + 2 * sizes.hidden + 2 * columns) * own
    logits = supervised * reader.backbone.vocabulary * (own + 4 * _FLOAT)
    return int(_SPARE * rows * (columns * column + logits))


def free_bytes(device: torch.device) -> int | None:
    """What a card has left for this process, with what PyTorch holds there unused; None for a processor."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
