"""Attention where most tokens never see each other: columns in blocks, of which the first alone is seen by all.

Packed reads are such columns (packing.py): a shared prefix, then reads that know nothing of one another. A mask says
so, too, but under a mask every pair of columns is computed; here those of one block are, and those with the first.
Knows nothing about models or text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LEAST_COLUMNS = 40
"""Narrower blocks are taken together: a few more hidden pairs cost less than more operations."""


@dataclass(frozen=True)
class Blocks:
    """A mask, cut into what is computed."""

    widths: tuple[int, ...]
    """Columns of each block; the first may have none."""
    masks: tuple[Tensor, ...]
    """Of each block, added to its scores: float32 `[rows, 1, 1, width, first width + width]`, of the first `width`."""


def cut_blocks(mask: Tensor, widths: Sequence[int]) -> Blocks:
    """
    Args:
        mask: `[rows, 1, columns, columns]`, 0 where a token sees another and far below 0 elsewhere.
        widths: of the blocks, in order; they cover all columns.
    """
    first, end, masks = widths[0], 0, []
    joined = [first, *_joined(widths[1:])]
    for width in joined:
        own = mask[:, :, end : end + width]
        seen = own[..., end : end + width]
        masks.append((torch.cat((own[..., :first], seen), -1) if end else seen).unsqueeze(1).float())
        end += width
    return Blocks(tuple(joined), tuple(masks))


def _joined(widths: Sequence[int]) -> Iterator[int]:
    """Neighbours together until they are wide enough."""
    width = 0
    for each in widths:
        width += each
        if width >= LEAST_COLUMNS:
            yield width
            width = 0
    if width:
        yield width


def attend(queries: Tensor, keys: Tensor, values: Tensor, blocks: Blocks) -> Tensor:
    """What scaled dot-product attention gives under the mask; heads of queries share those of keys in groups.

    Computed in float32: on a processor that is as quick for pieces so small.

    Args:
        queries: `[rows, heads, columns, size]`.
        keys, values: `[rows, key heads, columns, size]`.
    """
    kinds, shared = keys.shape[1], queries.shape[1] // keys.shape[1]
    asking = (queries.float() * queries.shape[-1] ** -0.5).unflatten(1, (kinds, shared))
    asked, kept, told = (each.split(blocks.widths, -2) for each in (asking, keys.float(), values.float()))
    seen = []
    for number, mask in enumerate(blocks.masks):
        own_keys, own_values = kept[number], told[number]
        if number:
            own_keys, own_values = torch.cat((kept[0], own_keys), 2), torch.cat((told[0], own_values), 2)
        # A matrix for each head of keys, of all its queries.
        scores = asked[number].flatten(2, 3) @ own_keys.mT
        weights = (scores.unflatten(2, (shared, -1)) + mask).softmax(-1)
        seen.append((weights.flatten(2, 3) @ own_values).unflatten(2, (shared, -1)))
    return torch.cat(seen, -2).flatten(1, 2).to(queries.dtype)
