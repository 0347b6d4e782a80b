"""Refinement: after sections are written, a few optimiser steps on their states alone, so that each recalls more.

Adapter and backbone stay as they are. A state practises what it is going to be asked (practice.py). Sections are
independent, so a batch of them takes its steps at once, each as it would alone. Knows nothing about files.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dmdoc.errors import DmdocError, UsageError
from dmdoc.memory.state import MemoryState
from dmdoc.model.packing import EMPTY_READ, IGNORED, Read, pack_reads
from dmdoc.model.reader import Reader
from dmdoc.model.reads import read_logits
from dmdoc.refine.practice import STEP_READS, Practice

LEARNING_RATE = 0.02
"""Of Adam, on what is added to the numbers of the state."""

DECAY = 1.5
"""By so much, times the learning rate, a step shrinks what was added: what is not asked for goes back to the write."""

PASS_SECTIONS = 4
"""Sections in one forward pass; gradients of several passes add up. Bounds memory, not the result."""


def refine(
    state: MemoryState,
    practices: Sequence[Practice],
    reader: Reader,
    steps: int,
    *,
    on_step: Callable[[int, float], None] | None = None,
) -> MemoryState:
    """Take `steps` AdamW steps on the state of each section, each to say the next `STEP_READS` reads with fewer nats.

    Args:
        state: a section a row, as the write left it; not changed.
        practices: of each row; one that is used up begins again.
        on_step: hears (steps taken, nats a token of the reads at hand, the mean over sections), first with 0 steps.

    Returns:
        The states, detached: of a section that ends no better at the reads of its first step, its row of `state`.

    Raises:
        UsageError: `steps` is negative.
        DmdocError: the nats are not finite.
    """
    if steps < 0:
        raise UsageError(f"a state is refined in 0 or more steps, got {steps}")
    if steps == 0:
        return state
    written = [layer.detach() for layer in state.layers]
    added = [torch.zeros_like(layer, requires_grad=True) for layer in written]
    # Adam treats every number by itself, so that sections in one batch do not disturb one another.
    optimiser = torch.optim.AdamW(added, lr=LEARNING_RATE, weight_decay=DECAY)
    for step in range(steps):
        nats = _read(_at_hand(practices, step), written, added, reader, learn=True)
        if step == 0:
            first = nats
        _report(nats, step, steps, on_step)
        optimiser.step()
        optimiser.zero_grad()
    last = _read(_at_hand(practices, 0), written, added, reader, learn=False)
    _report(last, steps, steps, on_step)
    better = (last < first)[:, None, None, None]
    pairs = zip(written, added, strict=True)
    return MemoryState(tuple(layer + more.detach() * better for layer, more in pairs))


def _report(nats: Tensor, step: int, steps: int, on_step: Callable[[int, float], None] | None) -> None:
    mean = float(nats.mean())
    if not nats.isfinite().all():
        raise DmdocError(
            f"the loss is {mean} after {step} of {steps} refinement steps; "
            "refine in fewer steps, or not at all"
        )
    if on_step is not None:
        on_step(step, mean)


def _at_hand(practices: Sequence[Practice], step: int) -> list[list[Read]]:
    """The reads of a step: of each section the next ones, shortest first, as many as `STEP_READS` or all it has."""
    reads = []
    for practice in practices:
        most = min(STEP_READS, len(practice))
        chosen = [practice[(step * most + number) % len(practice)] for number in range(most)]
        reads.append(sorted(chosen, key=lambda read: len(read.prompt_ids) + len(read.target_ids)))
    return reads


def _read(
    reads: Sequence[list[Read]],
    written: Sequence[Tensor],
    added: Sequence[Tensor],
    reader: Reader,
    *,
    learn: bool,
) -> Tensor:
    """Nats a token of each section, `[sections]`; with `learn` their gradients are added to those of `added`."""
    nats = []
    for start in range(0, len(reads), PASS_SECTIONS):
        rows = slice(start, start + PASS_SECTIONS)
        slots = max(map(len, reads[rows]))
        # Long reads share slots, and so do short ones: the fewer, the less padding.
        packed = pack_reads(
            [[EMPTY_READ] * (slots - len(own)) + own for own in reads[rows]],
            pad_id=0,
            dtype=reader.backbone.dtype,
        )
        with torch.set_grad_enabled(learn):
            layers = (layer[rows] + more[rows] for layer, more in zip(written, added, strict=True))
            logits = read_logits(packed, MemoryState(tuple(layers)), reader)
            targets = packed.targets.to(logits.device)
            # [rows, n, vocabulary] → [rows]
            each = functional.cross_entropy(
                logits.transpose(1, 2), targets, reduction="none", ignore_index=IGNORED
            )
            said = each.sum(1) / (targets != IGNORED).sum(1)
        if learn:
            # Of the state alone, whatever else the caller has left to require gradients.
            torch.autograd.backward(said.sum(), inputs=list(added))
        nats.append(said.detach())
    return torch.cat(nats)
