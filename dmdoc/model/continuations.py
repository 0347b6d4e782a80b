"""Many possible continuations of one prompt, scored in one pass: a tree of tokens behind the prompt.

Continuations that begin alike share the tokens they begin with, so that what is computed is a tree whose root is the
prompt. A token sees the prompt and the tokens on its way from the root, and has the position it would have by itself;
the scores are those of separate passes, but for rounding. Knows nothing about documents or questions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from dmdoc.memory.state import MemoryState
from dmdoc.model.packing import Packed
from dmdoc.model.reader import Reader
from dmdoc.model.reads import read_logits

TREE_TOKENS = 512
"""The most tokens of continuations in one pass, over all rows; the logits of each take memory."""


@dataclass(frozen=True)
class PackedContinuations(Packed):
    """What a model is called with, and where to find what it makes of each token of each continuation."""

    columns: Tensor
    """int64 `[rows, continuations, longest]`: the supervised column, counted from 0, whose logits give the token."""
    tokens: Tensor
    """int64 `[rows, continuations, longest]`: the token itself."""
    known: Tensor
    """bool `[rows, continuations, longest]`: False for padding."""


class _Tree:
    """The tokens of continuations, each node once: a node's parent stands before it, and -1 is the prompt."""

    def __init__(self, continuations: Sequence[Sequence[int]]) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.paths: list[list[int]] = [[] for _ in continuations]
        """For each continuation the node before each of its tokens."""
        children: dict[tuple[int, int], int] = {}
        # Those that begin alike in a row, so that what can see one another stands together.
        begun = {continuation[0]: number for number, continuation in reversed([*enumerate(continuations)])}
        for number in sorted(range(len(continuations)), key=lambda each: begun[continuations[each][0]]):
            continuation, path = continuations[number], self.paths[number]
            path.append(-1)
            for token in continuation[:-1]:  # what follows the last token is not asked for
                at = (path[-1], token)
                if at not in children:
                    children[at] = len(self.tokens)
                    self.tokens.append(token)
                    self.parents.append(path[-1])
                path.append(children[at])

    def widths(self) -> list[int]:
        """Nodes of each branch of the root, in their order."""
        starts = [node for node, parent in enumerate(self.parents) if parent < 0]
        return [end - start for start, end in pairwise([*starts, len(self.tokens)])]

    def ancestry(self) -> Tensor:
        """bool `[nodes, nodes]`: whether a node sees another, which is itself or on its way from the root."""
        sees = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                sees[node] |= sees[parent]
        return sees


def pack_continuations(
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[Sequence[int]]],
    *,
    pad_id: int,
    dtype: torch.dtype,
) -> PackedContinuations:
    """A row for each prompt with its continuations, none of them empty; `dtype` is that of the mask."""
    trees = [_Tree(row) for row in continuations]
    front = max(map(len, prompts))
    columns = front + max(len(tree.tokens) for tree in trees)
    ids = torch.full((len(prompts), columns), pad_id)
    positions = torch.zeros(len(prompts), columns, dtype=torch.long)
    # Padding sees itself: attention scores that are masked throughout would be NaN under some kernels.
    visible = torch.eye(columns, dtype=torch.bool).repeat(len(prompts), 1, 1)
    for row, (prompt, tree) in enumerate(zip(prompts, trees, strict=True)):
        start, end = front - len(prompt), front + len(tree.tokens)
        ids[row, start:end] = torch.tensor([*prompt, *tree.tokens])
        visible[row, start:front, start:front] = torch.ones(len(prompt), len(prompt), dtype=torch.bool).tril()
        visible[row, front:end, start:front] = True
        visible[row, front:end, front:end] = tree.ancestry()
        positions[row] = (visible[row, :, start:].sum(-1) - 1).clamp_min(0)
    mask = torch.zeros(visible.shape, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min).unsqueeze(1)
    before = [[[node + 1 for node in path] for path in tree.paths] for tree in trees]
    return PackedContinuations(
        input_ids=ids,
        position_ids=positions,
        attention_mask=mask,
        supervised=torch.arange(front - 1, columns),
        block_widths=(front, *trees[0].widths()) if len(trees) == 1 else None,
        columns=_padded(before, 0),
        tokens=_padded(continuations, 0),
        known=_padded([[[1] * len(each) for each in row] for row in continuations], 0).bool(),
    )


def score_continuations(packed: PackedContinuations, state: MemoryState | None, reader: Reader) -> Tensor:
    """Mean log-probability of the tokens of each continuation, in nats a token; differentiable in adapter and state.

    Args:
        state: a row for each prompt; None is the frozen backbone.

    Returns:
        float32 `[rows, continuations]`; 0 for padding.
    """
    return _scores(packed, read_logits(packed, state, reader))


def _scores(packed: PackedContinuations, logits: Tensor) -> Tensor:
    """As `score_continuations`, of logits `[rows, columns, vocabulary]`."""
    device = logits.device
    columns, tokens, known = packed.columns.to(device), packed.tokens.to(device), packed.known.to(device)
    rows = torch.arange(len(logits), device=device).view(-1, 1, 1)
    said = logits[rows, columns, tokens] - logits.logsumexp(-1)[rows, columns]
    return (said * known).sum(-1) / known.sum(-1).clamp_min(1)


class Heard(NamedTuple):
    """What a model makes of the continuations of one prompt."""

    log_likelihoods: Tensor
    """float32 `[continuations]`, in nats a token."""
    own: tuple[int, ...]
    """What it says itself, greedily, at least one token: as far as some continuation goes the same way, and one on."""


def hear_continuations(
    prompt: Sequence[int], continuations: Sequence[Sequence[int]], state: MemoryState | None, reader: Reader
) -> Heard:
    """Score any number of continuations of one prompt as `score_continuations` does, a few of them at a time."""
    pad_id, dtype = reader.end_ids[0] if reader.end_ids else 0, reader.backbone.dtype
    found: list[Tensor] = []
    own: tuple[int, ...] = ()
    with torch.no_grad():
        for some in _groups(continuations):
            packed = pack_continuations([prompt], [some], pad_id=pad_id, dtype=dtype)
            logits = read_logits(packed, state, reader)
            found.append(_scores(packed, logits)[0])
            own = max(own, _greedy(packed, logits[0]), key=len)
    return Heard(torch.cat(found), own)


def hear_next(prompt: Sequence[int], state: MemoryState, reader: Reader) -> Tensor:
    """Log-probability of every token right behind a prompt, under each row of `state`.

    Returns:
        float32 `[rows, vocabulary]`, in nats.
    """
    pad_id, dtype = reader.end_ids[0] if reader.end_ids else 0, reader.backbone.dtype
    packed = pack_continuations(
        [prompt] * state.batch, [[[pad_id]]] * state.batch, pad_id=pad_id, dtype=dtype
    )
    with torch.no_grad():
        return read_logits(packed, state, reader)[:, 0].log_softmax(-1)


def _greedy(packed: PackedContinuations, logits: Tensor) -> tuple[int, ...]:
    """The likeliest token behind the prompt, and behind that, as long as it is one of the tree."""
    ways: dict[tuple[int, int], int] = {}
    for columns, tokens, known in zip(packed.columns[0], packed.tokens[0], packed.known[0], strict=True):
        path = columns[known].tolist()
        ways.update(zip(zip(path, tokens.tolist(), strict=False), path[1:], strict=False))
    said: list[int] = []
    column: int | None = 0
    while column is not None:
        said.append(int(logits[column].argmax()))
        column = ways.get((column, said[-1]))
    return tuple(said)


def _groups(continuations: Sequence[Sequence[int]]) -> Iterator[Sequence[Sequence[int]]]:
    start = 0
    while start < len(continuations):
        end, size = start + 1, len(continuations[start])
        while end < len(continuations) and size + len(continuations[end]) <= TREE_TOKENS:
            size += len(continuations[end])
            end += 1
        yield continuations[start:end]
        start = end


def _padded(rows: Sequence[Sequence[Sequence[int]]], value: int) -> Tensor:
    """Lists of lists of lists → int64 `[rows, most, longest]`."""
    most = max(len(row) for row in rows)
    longest = max(len(each) for row in rows for each in row)
    filled = [
        [[*each, *[value] * (longest - len(each))] for each in row] + [[value] * longest] * (most - len(row))
        for row in rows
    ]
    return torch.tensor(filled)
