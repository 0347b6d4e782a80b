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
from dmdoc.refine.optimiser import KEPT, Optimiser
from dmdoc.refine.practice import STEP_READS, Practice

LEARNING_RATE = 0.05
"""Of the first step, on what is added to the numbers of the state; it falls in a line towards 0 at the last."""

PASS_SECTIONS = 4
"""Sections in one forward pass, unless the caller has room for more."""


@dataclass(frozen=True)
class Halfway:
    """A refinement after some of its steps: all that it takes to go on as if it had never stopped."""

    steps: int
    """Steps taken."""
    tensors: Mapping[str, Tensor]
    """What was added to all layers, what the optimiser keeps of it, and the nats of the first step; on the CPU."""

    @property
    def is_whole(self) -> bool:
        """Nothing is missing, as from what an earlier version kept."""
        return set(self.tensors) == {"first", "added", *KEPT}


def refine(
    state: MemoryState,
    practices: Sequence[Practice],
    reader: Reader,
    steps: int,
    *,
    pass_sections: int = PASS_SECTIONS,
    on_step: Callable[[int, float], None] | None = None,
    begun: Halfway | None = None,
    keep: Callable[[Halfway], None] | None = None,
) -> MemoryState:
    """Take `steps` steps on the state of each section, each to say the next `STEP_READS` reads with fewer nats.

    Args:
        state: a section a row, as the write left it; not changed.
        practices: of each row; one that is used up begins again.
        pass_sections: in one forward pass; gradients of several passes add up. Bounds memory, not the result.
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
    written = torch.stack([layer.detach() for layer in state.layers])
    added = torch.zeros_like(written, requires_grad=True)  # [layers, rows, heads, rank, rank]
    # It treats every matrix by itself, so that sections in one batch do not disturb one another.
    optimiser = Optimiser(added)
    taken, first = 0, written.new_zeros(len(practices))
    if begun is not None:
        taken, first = _take_up(begun, added, optimiser)
    for step in range(taken, steps):
        with torch.enable_grad():
            nats, gradient = _read(practices, step, written, added, reader, pass_sections)
        if step == 0:
            first = nats
        _report(nats, step, steps, on_step)
        optimiser.step(gradient, LEARNING_RATE * (1 - step / steps))
        if keep is not None:
            keep(_halfway(step + 1, added, optimiser, first))
    with torch.no_grad():
        last, _ = _read(practices, 0, written, added, reader, pass_sections)
    _report(last, steps, steps, on_step)
    better = (last < first)[:, None, None, None]
    return state.with_layers((written + added.detach() * better).unbind())


def _halfway(steps: int, added: Tensor, optimiser: Optimiser, first: Tensor) -> Halfway:
    tensors = {"first": first, "added": added, **optimiser.kept()}
    return Halfway(steps, {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()})


def _take_up(begun: Halfway, added: Tensor, optimiser: Optimiser) -> tuple[int, Tensor]:
    """Put everything back as it was; the steps taken, and the nats of the first."""
    with torch.no_grad():
        added.copy_(begun.tensors["added"])
    optimiser.take_up(begun.tensors)
    return begun.steps, begun.tensors["first"].to(added.device)


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
    written: Tensor,
    added: Tensor,
    reader: Reader,
    pass_sections: int,
) -> tuple[Tensor, Tensor]:
    """Nats a token of each section, and their gradient in `added`; zeros where gradients are off."""
    nats, gradient = [], torch.zeros_like(added)
    for start in range(0, len(practices), pass_sections):
        rows = slice(start, start + pass_sections)
        reads = [_at_hand(practice, step) for practice in practices[rows]]
        slots = max(map(len, reads))
        # Long reads share slots, and so do short ones: the fewer, the less padding.
        packed = pack_reads(
            [[EMPTY_READ] * (slots - len(own)) + own for own in reads],
            pad_id=0,
            dtype=reader.backbone.dtype,
        )
        own = added[:, rows]
        logits = read_logits(packed, MemoryState(tuple((written[:, rows] + own).unbind())), reader)
        targets = packed.targets.to(logits.device)
        said = token_nats(logits, targets).sum(1) / (targets != IGNORED).sum(1)  # [rows]
        if torch.is_grad_enabled():
            # Of the state alone, whatever else the caller has left to require gradients.
            (gradient[:, rows],) = torch.autograd.grad(said.sum(), own)
        nats.append(said.detach())
    return torch.cat(nats), gradient
