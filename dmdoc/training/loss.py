"""The forward pass of training: write, remove the text, read; and what the reads are worth."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dmdoc.memory.state import MemoryState
from dmdoc.model.packing import IGNORED, pack_reads
from dmdoc.model.reader import Reader
from dmdoc.model.reads import read_logits, token_nats
from dmdoc.refine.practice import section_practice
from dmdoc.refine.steps import refine
from dmdoc.training.reads import Batch


@dataclass(frozen=True)
class ReadScores:
    """How well a batch of reads went, as scalar tensors; 0 where the batch has no such read."""

    answer: Tensor
    """Nats a token over all answers; gradients flow through it."""
    recitation: Tensor
    """Nats a token over all recitations; gradients flow through it."""
    answer_exact: Tensor
    """Share of answers whose every token was the likeliest one, with the right tokens before it."""
    choice: Tensor
    """Nats of choosing an answer among its rivals, by mean log-likelihood and what their words weigh, where that is
    known; gradients flow through it."""
    choice_right: Tensor
    """Share of answers that were chosen, of those that have rivals."""
    recitation_right: Tensor
    """Share of recited tokens that were the likeliest."""


def write_batch(batch: Batch, reader: Reader, refine_steps: int = 0) -> MemoryState:
    """The states of a batch of documents, written from zero and refined.

    Gradients pass the refinement as if it had added a constant: through the write alone.
    """
    state = reader.write(batch.chunks, reader.zero_state(len(batch.chunks)))
    if refine_steps == 0:
        return state
    practices = [section_practice(chunk, reader) for chunk in batch.chunks]
    refined = refine(state, practices, reader, refine_steps)
    moved = zip(state.layers, refined.layers, strict=True)
    return MemoryState(tuple(before + (after - before).detach() for before, after in moved))


def score_reads(batch: Batch, state: MemoryState, reader: Reader) -> ReadScores:
    """Read `state` (one document a row) with the batch's reads, the text itself being out of sight."""
    device = reader.backbone.device
    packed = pack_reads(batch.reads, pad_id=reader.end_ids[0], dtype=reader.backbone.dtype)
    logits = read_logits(packed, state, reader)  # [rows, n, vocabulary]
    targets, slots, branches = (each.to(device) for each in (packed.targets, packed.slots, packed.branches))
    nats = token_nats(logits, targets)
    right = logits.detach().argmax(-1) == targets
    spoken = targets != IGNORED
    known = spoken & (branches == 0)
    answers = known & (slots < batch.answer_slots)
    recitations = known & (slots >= batch.answer_slots)
    for row, slot in batch.open_slots:  # what is read there is no answer
        answers[row] &= slots != slot
    means, correct = _contested(nats, spoken, slots, branches, batch)
    return ReadScores(
        answer=_mean(nats, answers),
        recitation=_mean(nats, recitations),
        answer_exact=_exact(right, known & (answers | recitations), slots, batch.answer_slots),
        recitation_right=_mean(right.float(), recitations),
        choice=functional.cross_entropy(-means, correct, reduction="sum") / max(1, len(means)),
        choice_right=(means.argmin(1) == correct).sum() / max(1, len(means)),
    )


def _contested(
    nats: Tensor, spoken: Tensor, slots: Tensor, branches: Tensor, batch: Batch
) -> tuple[Tensor, Tensor]:
    """Nats a token of what each answer that has rivals is chosen among, and the place of what is right there.

    What the words of each weigh, where that is known, is taken off.

    Returns:
        float32 `[answers, 2 + most rivals]`: of giving none, of the answer, and of its rivals; infinite where there is
        none. int64 `[answers]`: 1, or 0 where the question is left open.
    """
    most, answer_slots, rows = int(branches.max()), batch.answer_slots, len(nats)
    means = nats.new_full((answer_slots, 2 + most, rows), torch.inf)
    for slot in range(answer_slots):
        for number in range(1 + most):
            columns = spoken & (slots == slot) & (branches == number)
            count = columns.sum(1)  # [rows]
            means[slot, 1 + number] = ((nats * columns).sum(1) / count.clamp_min(1)).masked_fill(
                count == 0, torch.inf
            )
    for row, contests in enumerate(batch.contests):
        for slot, contest in enumerate(contests):
            worths = [worth for _, worth in contest.phrases]
            means[slot, 1 : 1 + len(worths), row] -= means.new_tensor(worths)
    if batch.nothing is not None:
        means[:, 0] = -batch.nothing
    correct = torch.ones(answer_slots, rows, dtype=torch.long, device=nats.device)
    for row, slot in batch.open_slots:
        correct[slot, row] = 0
    each = means.transpose(1, 2).flatten(0, 1)  # [slots * rows, none and branches]
    asked = each[:, 1].isfinite() & each[:, 2:].isfinite().any(1)
    return each[asked], correct.flatten()[asked]


def _mean(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum() / where.sum().clamp_min(1)


def _exact(right: Tensor, known: Tensor, slots: Tensor, answer_slots: int) -> Tensor:
    """Share of the answers in `[rows, n]` whose every known token is right."""
    exact = asked = torch.zeros((), device=right.device)
    for slot in range(answer_slots):
        columns = slots == slot
        present = known[:, columns].any(1)
        exact = exact + ((right | ~known)[:, columns].all(1) & present).sum()
        asked = asked + present.sum()
    return exact / asked.clamp_min(1)
