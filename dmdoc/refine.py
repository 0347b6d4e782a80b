"""Refinement: after a document is written, a few optimiser steps on its state alone, so that it recites the document.

Adapter and backbone stay as they are. The reads are those that adapters are trained on (reads.py): the text is
covered by windows, each recited or continued from the words before it. A document of several chunks is refined
after every write; each step then also rehearses as many windows of earlier chunks as the new one has, drawn
anew, so that a step costs a little more than twice a lone chunk's, whatever came before, and the whole is linear
in the number of chunks. Knows nothing about files.
"""

import math
import random
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
from dmdoc.packing import IGNORED, Read, pack_reads
from dmdoc.reader import Reader
from dmdoc.reads import continue_read, read_logits, recite_read

LEARNING_RATE = 0.02
"""Of Adam, on the numbers of the state."""

WINDOW_TOKENS = 48
"""The most tokens of the text that one read has to say."""

PASS_WINDOWS = 16
"""Windows packed into one forward pass; gradients of several passes add up. Bounds memory, not the result."""

Windows = tuple[tuple[Read, ...], ...]
"""The reads that cover a document, chunk by chunk."""


def document_windows(chunks: Sequence[Chunk], reader: Reader) -> Windows:
    """Cover the text of every chunk with consecutive reads of at most `WINDOW_TOKENS` tokens.

    The first window of the document is recited; every other continues the text before it, also across chunks.
    Only the last ends as an answer ends.
    """
    windows, before = [], ""
    for number, chunk in enumerate(chunks):
        reads = []
        for start, end in _spans(chunk.text, reader):
            # Chunks have no blank space at their ends; a word that follows another has it in front.
            lead = " " if before and start == 0 else ""
            target, _ = tokenise(reader.backbone.tokenizer, lead + chunk.text[start:end])
            if number == len(chunks) - 1 and end == len(chunk.text):
                target = [*target, *reader.end_ids[:1]]
            told = before + chunk.text[:start]
            reads.append(continue_read(told, target, reader) if told else recite_read(target, reader))
        windows.append(tuple(reads))
        before = chunk.text
    return tuple(windows)


def refine(
    state: MemoryState,
    windows: Windows,
    reader: Reader,
    steps: int,
    *,
    seed: int = 0,
    on_step: Callable[[int, float], None] | None = None,
) -> MemoryState:
    """Take `steps` Adam steps on the state of a document, to say its windows with fewer nats.

    Args:
        state: of batch 1, as the write of the last chunk left it; not changed.
        windows: of all chunks written so far; those of the last are learned, those of the others rehearsed.
        seed: of what is rehearsed; the same arguments give the same state.
        on_step: hears (steps taken, nats a token over the last chunk and a fixed sample of the others),
            first with 0 steps.

    Returns:
        The state with the fewest such nats, detached: `state` itself if no step made it better.

    Raises:
        UsageError: `steps` is negative.
        DmdocError: the nats are not finite.
    """
    if steps < 0:
        raise UsageError(f"a state is refined in 0 or more steps, got {steps}")
    if steps == 0:
        return state
    best, fewest = state, math.inf
    with _taking_masks(reader.backbone):
        for step, (layers, nats) in enumerate(_descend(state, windows, reader, steps, seed)):
            if not math.isfinite(nats):
                raise DmdocError(
                    f"the loss is {nats} after {step} of {steps} refinement steps; "
                    "refine in fewer steps, or ingest without --refine"
                )
            if nats < fewest:
                fewest = nats
                best = state if step == 0 else MemoryState(tuple(layer.detach().clone() for layer in layers))
            if on_step is not None:
                on_step(step, nats)
    return best


def _descend(
    state: MemoryState, windows: Windows, reader: Reader, steps: int, seed: int
) -> Iterator[tuple[list[Tensor], float]]:
    """The layers, changed in place, and their nats a token: at the start and after each of the steps."""
    learned, earlier = windows[-1], [read for reads in windows[:-1] for read in reads]
    rehearsed = min(len(learned), len(earlier))
    draw = random.Random(f"{seed}/{len(windows)}")
    # What is rehearsed changes from step to step; states can only be compared by the same reads.
    sample = draw.sample(earlier, rehearsed)
    layers = [layer.detach().clone().requires_grad_() for layer in state.layers]
    optimiser = torch.optim.Adam(layers, lr=LEARNING_RATE)
    for step in range(steps + 1):
        rehearsal = draw.sample(earlier, rehearsed)
        learn = 1 / (_tokens(learned) + _tokens(rehearsal)) if step < steps else 0.0
        nats = _read(learned, layers, reader, learn=learn) + _read(sample, layers, reader, learn=0.0)
        yield layers, nats / (_tokens(learned) + _tokens(sample))
        if step < steps:
            _read(rehearsal, layers, reader, learn=learn)
            optimiser.step()
            optimiser.zero_grad()


def _read(reads: Sequence[Read], layers: Sequence[Tensor], reader: Reader, *, learn: float) -> float:
    """The nats of all reads, summed; `learn` times their gradient is added to that of the layers, unless 0."""
    total = 0.0
    for first in range(0, len(reads), PASS_WINDOWS):
        packed = pack_reads([reads[first : first + PASS_WINDOWS]], pad_id=0, dtype=reader.backbone.dtype)
        with torch.set_grad_enabled(learn != 0):
            logits = read_logits(packed, MemoryState(tuple(layers)), reader)  # [1, n, vocabulary]
            targets = packed.targets.to(logits.device)
            nats = functional.cross_entropy(logits[0], targets[0], reduction="sum", ignore_index=IGNORED)
        if learn != 0:
            # Of the state alone, whatever else the caller has left to require gradients.
            torch.autograd.backward(nats * learn, inputs=list(layers))
        total += float(nats.detach())
    return total


def _tokens(reads: Sequence[Read]) -> int:
    return sum(len(read.target_ids) for read in reads)


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
