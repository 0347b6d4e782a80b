"""Refinement: after sections are written, a few optimiser steps on their states alone, so that each recites its text.

Adapter and backbone stay as they are. The reads are those that adapters are trained on (reads.py): the text of a
section is covered by windows, the first recited, each other continued from the words before it. Sections are
independent, so a batch of them takes its steps at once, each as it would alone. Knows nothing about files.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional

from dmdoc.backbone import Backbone
from dmdoc.chunking import Chunk, tokenise
from dmdoc.errors import DmdocError, UsageError
from dmdoc.memory_state import MemoryState
from dmdoc.packing import EMPTY_READ, IGNORED, Read, pack_reads
from dmdoc.reader import Reader
from dmdoc.reads import WINDOW_TOKENS, continue_read, read_logits, recite_read

LEARNING_RATE = 0.02
"""Of Adam, on the numbers of the state."""

PASS_WINDOWS = 16
"""Windows in one forward pass; gradients of several passes add up. Bounds memory, not the result."""

Windows = tuple[Read, ...]
"""The reads that cover the text of one section."""


def section_windows(chunk: Chunk, reader: Reader) -> Windows:
    """Cover the text of a section with consecutive reads of at most `WINDOW_TOKENS` tokens.

    The first window is recited; every other continues the text before it. The last ends as an answer ends.
    """
    reads = []
    for start, end in _spans(chunk.text, reader):
        target, _ = tokenise(reader.backbone.tokenizer, chunk.text[start:end])
        if end == len(chunk.text):
            target = [*target, *reader.end_ids[:1]]
        told = chunk.text[:start]
        reads.append(continue_read(told, target, reader) if told else recite_read(target, reader))
    return tuple(reads)


def refine(
    state: MemoryState,
    windows: Sequence[Windows],
    reader: Reader,
    steps: int,
    *,
    on_step: Callable[[int, float], None] | None = None,
) -> MemoryState:
    """Take `steps` Adam steps on the state of each section, to say its windows with fewer nats.

    Args:
        state: a section a row, as the write left it; not changed.
        windows: of each row.
        on_step: hears (steps taken, nats a token, the mean over sections), first with 0 steps.

    Returns:
        For each section the state with the fewest nats, detached: its row of `state` if no step made it better.

    Raises:
        UsageError: `steps` is negative.
        DmdocError: the nats are not finite.
    """
    if steps < 0:
        raise UsageError(f"a state is refined in 0 or more steps, got {steps}")
    if steps == 0:
        return state
    best = [layer.detach() for layer in state.layers]
    fewest = torch.full((state.batch,), torch.inf, device=state.device)
    with _taking_masks(reader.backbone):
        for step, (layers, nats) in enumerate(_descend(state, windows, reader, steps)):
            if not nats.isfinite().all():
                raise DmdocError(
                    f"the loss is {float(nats.mean())} after {step} of {steps} refinement steps; "
                    "refine in fewer steps, or ingest without --refine"
                )
            better = (nats < fewest)[:, None, None, None]
            best = [
                torch.where(better, layer.detach(), kept) for layer, kept in zip(layers, best, strict=True)
            ]
            fewest = torch.minimum(fewest, nats)
            if on_step is not None:
                on_step(step, float(nats.mean()))
    return MemoryState(tuple(best))


def _descend(
    state: MemoryState, windows: Sequence[Windows], reader: Reader, steps: int
) -> Iterator[tuple[list[Tensor], Tensor]]:
    """The layers, changed in place, and each section's nats a token: at the start and after each of the steps."""
    layers = [layer.detach().clone().requires_grad_() for layer in state.layers]
    # Adam treats every number by itself, so that sections in one batch do not disturb one another.
    optimiser = torch.optim.Adam(layers, lr=LEARNING_RATE)
    for step in range(steps + 1):
        yield layers, _read(windows, layers, reader, learn=step < steps)
        if step < steps:
            optimiser.step()
            optimiser.zero_grad()


def _read(windows: Sequence[Windows], layers: Sequence[Tensor], reader: Reader, *, learn: bool) -> Tensor:
    """Nats a token of each section, `[sections]`; with `learn` their gradients are added to those of the layers."""
    counts = [sum(len(read.target_ids) for read in reads) for reads in windows]
    tokens = torch.tensor(counts, device=layers[0].device)
    nats = torch.zeros(len(windows), device=layers[0].device)
    for rows, reads in _passes(windows):
        packed = pack_reads(reads, pad_id=0, dtype=reader.backbone.dtype)
        with torch.set_grad_enabled(learn):
            logits = read_logits(packed, MemoryState(tuple(layer[rows] for layer in layers)), reader)
            targets = packed.targets.to(logits.device)
            # [rows, n, vocabulary] → [rows]
            each = functional.cross_entropy(
                logits.transpose(1, 2), targets, reduction="none", ignore_index=IGNORED
            )
            said = each.sum(1) / tokens[rows]
        if learn:
            # Of the state alone, whatever else the caller has left to require gradients.
            torch.autograd.backward(said.sum(), inputs=list(layers))
        nats[rows] += said.detach()
    return nats


def _passes(windows: Sequence[Windows]) -> Iterator[tuple[slice, list[list[Read]]]]:
    """Neighbouring sections and as many windows of each as fit a pass together, until each had all of its own."""
    start = 0
    while start < len(windows):
        most = len(windows[start])
        end = start + 1
        while end < len(windows) and (end + 1 - start) * max(most, len(windows[end])) <= PASS_WINDOWS:
            most = max(most, len(windows[end]))
            end += 1
        for first in range(0, most, PASS_WINDOWS):
            part = [list(reads[first : first + PASS_WINDOWS]) for reads in windows[start:end]]
            slots = max(map(len, part))
            yield slice(start, end), [reads + [EMPTY_READ] * (slots - len(reads)) for reads in part]
        start = end


def _spans(text: str, reader: Reader) -> Iterator[tuple[int, int]]:
    """Consecutive (start, end) of the windows of a text, cut before blank space where there is some nearby."""
    _, token_ends = tokenise(reader.backbone.tokenizer, text)
    start = 0
    while start < len(text):
        last = bisect_right(token_ends, start) + WINDOW_TOKENS - 1
        end = len(text)
        if last < len(token_ends) - 1:
            reached = max(start + 1, token_ends[last])
            nearby = range(reached, start + (reached - start) // 2, -1)
            end = next((index for index in nearby if text[index : index + 1].isspace()), reached)
        yield start, end
        start = end


@contextmanager
def _taking_masks(backbone: Backbone) -> Iterator[None]:
    """Packed reads need a mask of their own, which flash_attention_2 does not take."""
    if backbone.attention != "flash_attention_2":
        yield
        return
    backbone.model.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        backbone.model.set_attn_implementation(backbone.attention)
