"""Many short reads of one document in one row: a shared prefix, then one column slot a read.

Each read attends to the prefix and to itself alone and has the positions it would have by itself, so that a row
gives exactly what separate passes would; the prefix is computed once. Reads stand right-aligned in their slots, so
that supervised tokens of all rows share columns and only those columns need logits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from os.path import commonprefix

import torch
from torch import Tensor

IGNORED = -100
"""The target of a column that is not supervised."""


@dataclass(frozen=True)
class Read:
    """One prompt and what should follow it, in token ids. An empty read only fills a slot."""

    prompt_ids: tuple[int, ...]
    target_ids: tuple[int, ...]


@dataclass(frozen=True)
class PackedReads:
    """What a model is called with, and what its logits are held against."""

    input_ids: Tensor
    """int64 `[rows, columns]`."""
    position_ids: Tensor
    """int64 `[rows, columns]`."""
    attention_mask: Tensor
    """Added to attention scores: float `[rows, 1, columns, columns]`, 0 where a token sees another."""
    supervised: Tensor
    """int64 `[n]`: the columns whose logits are needed."""
    targets: Tensor
    """int64 `[rows, n]`: the token that should follow each supervised column, or IGNORED."""
    slots: Tensor
    """int64 `[n]`: the slot of each supervised column."""


def pack_reads(rows: Sequence[Sequence[Read]], *, pad_id: int, dtype: torch.dtype) -> PackedReads:
    """Pack `rows` of equally many reads. Position and attention are exact; see the module docstring."""
    prefix = list(commonprefix([read.prompt_ids for row in rows for read in row if read.prompt_ids]))
    # The last prompt token must stay in the slot: its logits give the first target token.
    shortest = min(len(read.prompt_ids) for row in rows for read in row if read.prompt_ids)
    prefix = prefix[: shortest - 1]
    bodies = [[(*read.prompt_ids[len(prefix) :], *read.target_ids[:-1]) for read in row] for row in rows]
    widths = [max(len(row[slot]) for row in bodies) for slot in range(len(rows[0]))]
    columns = len(prefix) + sum(widths)

    ids = torch.full((len(rows), columns), pad_id)
    positions = torch.zeros(len(rows), columns, dtype=torch.long)
    visible = torch.eye(columns, dtype=torch.bool).repeat(len(rows), 1, 1)
    targets = torch.full((len(rows), columns), IGNORED)
    ids[:, : len(prefix)] = torch.tensor(prefix, dtype=torch.long)
    positions[:, : len(prefix)] = torch.arange(len(prefix))
    visible[:, : len(prefix), : len(prefix)] = torch.ones(len(prefix), len(prefix)).tril().bool()
    slot_of = torch.full((columns,), -1)
    end = len(prefix)
    for slot, width in enumerate(widths):
        end += width
        slot_of[end - width : end] = slot
        for row, body in enumerate(body_row[slot] for body_row in bodies):
            if not body:
                continue
            start = end - len(body)
            ids[row, start:end] = torch.tensor(body)
            positions[row, start:end] = torch.arange(len(prefix), len(prefix) + len(body))
            visible[row, start:end, : len(prefix)] = True
            visible[row, start:end, start:end] = torch.ones(len(body), len(body)).tril().bool()
            target = torch.tensor(rows[row][slot].target_ids)
            targets[row, end - len(target) : end] = target
    supervised = (targets != IGNORED).any(0).nonzero().squeeze(1)
    mask = torch.zeros(visible.shape, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min)
    return PackedReads(ids, positions, mask.unsqueeze(1), supervised, targets[:, supervised], slot_of[supervised])
