"""Refinement: after sections are written, a few optimiser steps on their states alone, so that each recalls more.

Adapter and backbone stay as they are. A state practises what it is going to be asked (practice.py). Sections are
independent, so a batch of them takes its steps at once, each as it would alone. Knows nothing about files.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dmdoc.errors import DmdocError, UsageError
from dmdoc.memory.state import MemoryState
from dmdoc.model.packing import EMPTY_READ, IGNORED, Read, pack_reads
from dmdoc.model.reader import Reader
from dmdoc.model.reads import read_logits, token_nats
from dmdoc.refine.practice import STEP_READS, Practice

LEARNING_RATE = 0.05
"""Of Adam's first step, on what is added to the numbers of the state; it falls in a line towards 0 at the last."""

BETAS = (0.7, 0.9)
"""Adam's: few steps are taken, so it must forget soon."""

DECAY = 1.5
"""By so much, times the learning rate, a step shrinks what was added: what is not asked for goes back to the write."""

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what AdamW keeps of each layer

PASS_SECTIONS = 4
"""Sections in one forward pass; gradients of several passes add up. Bounds memory, not the result."""


@dataclass(frozen=True)
class Halfway:
    """A refinement after some of its steps: all that it takes to go on as if it had never stopped."""

    steps: int
    """Steps taken."""
    tensors: Mapping[str, Tensor]
    """What was added to each layer, the optimiser's moments of it, and the nats of the first step; on the CPU."""


def refine(
    state: MemoryState,
    practices: Sequence[Practice],
    reader: Reader,
    steps: int,
    *,
    on_step: Callable[[int, float], None] | None = None,
    begun: Halfway | None = None,
    keep: Callable[[Halfway], None] | None = None,
) -> MemoryState:
    """Take `steps` AdamW steps on the state of each section, each to say the next `STEP_READS` reads with fewer nats.

    Args:
        state: a section a row, as the write left it; not changed.
        practices: of each row; one that is used up begins again.
        on_step: hears (steps taken, nats a token of the reads at hand, the mean over sections), first with 0 steps.
        begun: what `keep` heard in a run that was interrupted; it goes on from there, to the same states.
        keep: hears after each step how far it is.

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
    optimiser = torch.optim.AdamW(added, lr=LEARNING_RATE, betas=BETAS, weight_decay=DECAY)
    taken, first = 0, written[0].new_zeros(len(practices))
    if begun is not None:
        taken, first = _take_up(begun, added, optimiser)
    for step in range(taken, steps):
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * (1 - step / steps)
        with torch.enable_grad():
            nats = _read(practices, step, written, added, reader)
        if step == 0:
            first = nats
        _report(nats, step, steps, on_step)
        optimiser.step()
        optimiser.zero_grad()
        if keep is not None:
            keep(_halfway(step + 1, added, optimiser, first))
    with torch.no_grad():
        last = _read(practices, 0, written, added, reader)
    _report(last, steps, steps, on_step)
    better = (last < first)[:, None, None, None]
    pairs = zip(written, added, strict=True)
    return MemoryState(tuple(layer + more.detach() * better for layer, more in pairs))


def _halfway(steps: int, added: Sequence[Tensor], optimiser: torch.optim.Optimizer, first: Tensor) -> Halfway:
    tensors = {"first": first}
    for number, layer in enumerate(added):
        tensors[f"added.{number}"] = layer
        for name in _MOMENTS:
            tensors[f"{name}.{number}"] = optimiser.state[layer][name]
    return Halfway(steps, {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()})


def _take_up(begun: Halfway, added: Sequence[Tensor], optimiser: torch.optim.Optimizer) -> tuple[int, Tensor]:
    """Put everything back as it was; the steps taken, and the nats of the first."""
    moments = {}
    with torch.no_grad():
        for number, layer in enumerate(added):
            layer.copy_(begun.tensors[f"added.{number}"])
            moments[number] = {name: begun.tensors[f"{name}.{number}"] for name in _MOMENTS}
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    return begun.steps, begun.tensors["first"].to(added[0].device)


def _report(nats: Tensor, step: int, steps: int, on_step: Callable[[int, float], None] | None) -> None:
    mean = float(nats.mean())
    if not nats.isfinite().all():
        raise DmdocError(
            f"the loss is {mean} after {step} of {steps} refinement steps; "
            "refine in fewer steps, or not at all"
        )
    if on_step is not None:
        on_step(step, mean)


def _at_hand(practice: Practice, step: int) -> list[Read]:
    """The reads of a step: the next ones, shortest first, as many as `STEP_READS` or all there are."""
    most = min(STEP_READS, len(practice))
    chosen = [practice[(step * most + number) % len(practice)] for number in range(most)]
    return sorted(chosen, key=lambda read: len(read.prompt_ids) + len(read.target_ids))


def _read(
    practices: Sequence[Practice],
    step: int,
    written: Sequence[Tensor],
    added: Sequence[Tensor],
    reader: Reader,
) -> Tensor:
    """Nats a token of each section; where gradients are on, theirs are added to those of `added`."""
    nats = []
    for start in range(0, len(practices), PASS_SECTIONS):
        rows = slice(start, start + PASS_SECTIONS)
        reads = [_at_hand(practice, step) for practice in practices[rows]]
        slots = max(map(len, reads))
        # Long reads share slots, and so do short ones: the fewer, the less padding.
        packed = pack_reads(
            [[EMPTY_READ] * (slots - len(own)) + own for own in reads],
            pad_id=0,
            dtype=reader.backbone.dtype,
        )
        layers = (layer[rows] + more[rows] for layer, more in zip(written, added, strict=True))
        logits = read_logits(packed, MemoryState(tuple(layers)), reader)
        targets = packed.targets.to(logits.device)
        said = token_nats(logits, targets).sum(1) / (targets != IGNORED).sum(1)  # [rows]
        if torch.is_grad_enabled():
            # Of the state alone, whatever else the caller has left to require gradients.
            torch.autograd.backward(said.sum(), inputs=list(added))
        nats.append(said.detach())
    return torch.cat(nats)
