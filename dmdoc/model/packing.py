"""Many short reads of one document in one row: a shared prefix, then one column slot a read.

Each read attends to the prefix and to itself alone and has the positions it would have by itself, so that a
row gives exactly what separate passes would; the prefix is computed once. Reads stand right-aligned in their
slots, so that supervised tokens of all rows share columns and only those columns need logits. The mask is
`[rows, 1, columns, columns]`, which eager and SDPA attention take and flash_attention_2 does not. Knows
nothing about models or text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import Tensor

IGNORED = -100
"""The target of a column that is not supervised."""


@dataclass(frozen=True)
class Read:
    """One prompt and what should follow it, in token ids: neither is empty, but in `EMPTY_READ`."""

    prompt_ids: tuple[int, ...]
    target_ids: tuple[int, ...]


EMPTY_READ = Read((), ())
"""Fills a slot of a row that has fewer reads than others."""


@dataclass(frozen=True)
class Packed:
    """What a model is called with."""

    input_ids: Tensor
    """int64 `[rows, columns]`."""
    position_ids: Tensor
    """int64 `[rows, columns]`."""
    attention_mask: Tensor
    """Added to attention scores: float `[rows, 1, columns, columns]`, 0 where a token sees another."""
    supervised: Tensor
    """int64 `[n]`: the columns whose logits are needed."""


@dataclass(frozen=True)
class PackedReads(Packed):
    """What a model is called with, and what its logits are held against."""

    targets: Tensor
    """int64 `[rows, n]`: the token that should follow each supervised column, or IGNORED."""
    slots: Tensor
    """int64 `[n]`: the slot of each supervised column."""


def pack_reads(rows: Sequence[Sequence[Read]], *, pad_id: int, dtype: torch.dtype) -> PackedReads:
    """Pack `rows` of equally many reads, at least one of them not empty; `dtype` is that of the mask."""
    prefix = _shared_prefix([read.prompt_ids for row in rows for read in row if read != EMPTY_READ])
    shared = len(prefix)
    bodies = [[(*read.prompt_ids[shared:], *read.target_ids[:-1]) for read in row] for row in rows]
    widths = [max(len(row[slot]) for row in bodies) for slot in range(len(rows[0]))]
    columns = shared + sum(widths)

    ids = torch.full((len(rows), columns), pad_id)
    positions = torch.zeros(len(rows), columns, dtype=torch.long)
    # Padding sees itself: attention scores that are masked throughout would be NaN under some kernels.
    visible = torch.eye(columns, dtype=torch.bool).repeat(len(rows), 1, 1)
    targets = torch.full((len(rows), columns), IGNORED)
    ids[:, :shared] = torch.tensor(prefix, dtype=torch.long)
    positions[:, :shared] = torch.arange(shared)
    visible[:, :shared, :shared] = _causal(shared)
    for row, reads in enumerate(rows):
        end = shared
        for slot, body in enumerate(bodies[row]):
            end += widths[slot]
            start = end - len(body)
            ids[row, start:end] = torch.tensor(body, dtype=torch.long)
            positions[row, start:end] = torch.arange(shared, shared + len(body))
            visible[row, start:end, :shared] = True
            visible[row, start:end, start:end] = _causal(len(body))
            target = torch.tensor(reads[slot].target_ids, dtype=torch.long)
            targets[row, end - len(target) : end] = target

    supervised = (targets != IGNORED).any(0).nonzero().squeeze(1)
    mask = torch.zeros(visible.shape, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min).unsqueeze(1)
    slot_of = torch.tensor([-1] * shared + [slot for slot, width in enumerate(widths) for _ in range(width)])
    return PackedReads(ids, positions, mask, supervised, targets[:, supervised], slot_of[supervised])


def _shared_prefix(prompts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """What all prompts begin with, short of the last token of any: its logits give the first target token."""
    shortest = min(len(prompt) for prompt in prompts) - 1
    same = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*prompts, strict=False))
    return tuple(tokens[0] for tokens in same)[:shortest]


def _causal(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).tril()
