"""Many short reads of one document in one row: their shared prefix, then one column slot a read.

Each read attends to the prefix and to itself alone and has the positions it would have by itself, so that a
row gives exactly what separate passes would; the prefix is computed once. Reads stand right-aligned in their
slots, so that supervised tokens of all rows share columns and only those columns need logits. The mask is
`[rows, 1, columns, columns]`, which eager and SDPA attention take and flash_attention_2 does not. Knows
nothing about models or text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import NamedTuple

import torch
from torch import Tensor

IGNORED = -100
"""The target of a column that is not supervised."""


@dataclass(frozen=True)
class Read:
    """One prompt and what should follow it, in token ids: neither is empty, but in `EMPTY_READ`."""

    prompt_ids: tuple[int, ...]
    target_ids: tuple[int, ...]
    rivals: tuple[tuple[int, ...], ...] = ()
    """What else could follow the prompt, none empty; scored beside the target, each as if it stood there alone."""


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
    block_widths: tuple[int, ...] | None
    """Columns of each block, where the mask falls into blocks: those of the first are seen by all, those of each other
    by that block alone."""


@dataclass(frozen=True)
class PackedReads(Packed):
    """What a model is called with, and what its logits are held against."""

    targets: Tensor
    """int64 `[rows, n]`: the token that should follow each supervised column, or IGNORED."""
    slots: Tensor
    """int64 `[n]`: the slot of each supervised column."""
    prompts: Tensor
    """int64 `[rows, columns]`: the slot of whose prompt, past the shared prefix, a column is a token; −1 elsewhere."""
    branches: Tensor
    """int64 `[n]`: 0 where a supervised column is of a read's target, else the number of its rival, from 1."""


def pack_reads(rows: Sequence[Sequence[Read]], *, pad_id: int, dtype: torch.dtype) -> PackedReads:
    """Pack `rows` of equally many reads, at least one of them not empty; `dtype` is that of the mask."""
    prefixes = _shared_prefixes(rows)
    shared = len(prefixes[0])
    branches = _branches(rows, shared)
    columns = shared + sum(branch.width for branch in branches)

    ids = torch.full((len(rows), columns), pad_id)
    positions = torch.zeros(len(rows), columns, dtype=torch.long)
    # Padding sees itself: attention scores that are masked throughout would be NaN under some kernels.
    visible = torch.eye(columns, dtype=torch.bool).repeat(len(rows), 1, 1)
    targets = torch.full((len(rows), columns), IGNORED)
    prompts = torch.full((len(rows), columns), -1)
    ids[:, :shared] = torch.tensor(prefixes, dtype=torch.long)
    positions[:, :shared] = torch.arange(shared)
    visible[:, :shared, :shared] = _causal(shared)
    for row, reads in enumerate(rows):
        end = prompt_start = shared
        for branch in branches:
            read, end = reads[branch.slot], end + branch.width
            body, target = branch.of(read, shared)
            start = end - len(body)
            asked = max(
                0, len(read.prompt_ids) - shared - 1
            )  # of the prompt, what a rival sees of it in its own row
            if branch.number == 0:
                prompt_start, asked = start, 0
                prompts[row, start : end - max(0, len(target) - 1)] = branch.slot
            ids[row, start:end] = torch.tensor(body, dtype=torch.long)
            positions[row, start:end] = torch.arange(shared + asked, shared + asked + len(body))
            visible[row, start:end, :shared] = True
            visible[row, start:end, prompt_start : prompt_start + asked] = True
            visible[row, start:end, start:end] = _causal(len(body))
            targets[row, end - len(target) : end] = torch.tensor(target, dtype=torch.long)

    supervised = (targets != IGNORED).any(0).nonzero().squeeze(1)
    mask = torch.zeros(visible.shape, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min).unsqueeze(1)
    # The prefix is never supervised.
    owners = [_Branch(-1, 0, shared)] * shared + [branch for branch in branches for _ in range(branch.width)]
    asked_of = [owners[column] for column in supervised.tolist()]
    slots, numbers = (torch.tensor(each) for each in zip(*(branch[:2] for branch in asked_of), strict=True))
    widths = (shared, *_slot_widths(branches))
    return PackedReads(
        ids, positions, mask, supervised, widths, targets[:, supervised], slots, prompts, numbers
    )


class _Branch(NamedTuple):
    """Columns of one slot: its reads with their targets (number 0), or with one rival in the target's place."""

    slot: int
    number: int
    width: int

    def of(self, read: Read, shared: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What of a read stands in these columns, and what should follow.

        A rival starts from the last token of the prompt, of which it sees the rest.
        """
        if self.number == 0:
            return (*read.prompt_ids[shared:], *read.target_ids[:-1]), read.target_ids
        if self.number > len(read.rivals):
            return (), ()
        rival = read.rivals[self.number - 1]
        return (read.prompt_ids[-1], *rival[:-1]), rival


def _branches(rows: Sequence[Sequence[Read]], shared: int) -> list[_Branch]:
    found = []
    for slot, reads in enumerate(zip(*rows, strict=True)):
        for number in range(1 + max(len(read.rivals) for read in reads)):
            unsized = _Branch(slot, number, 0)
            found.append(unsized._replace(width=max(len(unsized.of(read, shared)[0]) for read in reads)))
    return found


def _slot_widths(branches: Sequence[_Branch]) -> list[int]:
    return [sum(branch.width for branch in own) for _, own in groupby(branches, lambda branch: branch.slot)]


def _shared_prefixes(rows: Sequence[Sequence[Read]]) -> list[tuple[int, ...]]:
    """What the prompts of each row begin with, all of one length; a row of nothing takes that of another."""
    asked = [[read.prompt_ids for read in row if read != EMPTY_READ] for row in rows]
    found = [_shared_prefix(prompts) for prompts in asked if prompts]
    shared = min(map(len, found))
    own = iter(found)
    return [(next(own) if prompts else found[0])[:shared] for prompts in asked]


def _shared_prefix(prompts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """What all prompts begin with, short of the last token of any: its logits give the first target token."""
    shortest = min(len(prompt) for prompt in prompts) - 1
    same = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*prompts, strict=False))
    return tuple(tokens[0] for tokens in same)[:shortest]


def _causal(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).tril()
