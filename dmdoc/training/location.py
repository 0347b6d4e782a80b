"""Where an answer stands, as a loss: the queries of a question lie near the key that its answer was written under.

A memory is only as good as its addresses, and the likelihood of an answer says little about them: it has to come
through a state into which everything else was written too. Keys and queries are held against each other directly,
layer by layer, over all places of the text. Knows nothing about states.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dmdoc.model.packing import pack_reads
from dmdoc.model.reader import Reader
from dmdoc.training.reads import Batch

SHARPNESS = 12.0
"""Cosines, averaged over the tokens of a question and summed over heads, times this are log-odds."""


class Sought(NamedTuple):
    """One answer: the row of its document, the columns of its question, the place of its first token in the text."""

    row: int
    columns: Tensor
    place: int


def location_loss(batch: Batch, written: Sequence[Tensor], asked: Sequence[Tensor], reader: Reader) -> Tensor:
    """Nats of finding the place of an answer among all places of its text, mean over layers and answers.

    Only heads that trace their keys are held to it, the second half of each layer: what they look back on names the
    thing. Answers that stand in the text more than once, or never, are left out; 0 where none is left.

    Args:
        written, asked: what entered each layer with a memory (`attention_inputs`) when the texts of the batch were
            written and when its reads were read, `[batch, time, hidden]`.
    """
    sought = answers_sought(batch, reader)
    total = torch.zeros((), device=reader.backbone.device)
    lengths = [len(chunk.token_ids) for chunk in batch.chunks]
    heads = slice(reader.adapter.config.num_state_heads // 2, None)
    for position, (texts, reads) in enumerate(zip(written, asked, strict=True)):
        layer = reader.adapter.layer(position)
        keys = layer.write_inputs(texts.detach()).keys[:, heads]
        total = total + place_nats(keys, layer.queries(reads)[:, heads], sought, lengths)
    return total / len(written)


def answers_sought(batch: Batch, reader: Reader) -> list[Sought]:
    """The answers of a batch whose place is known; columns are those of `pack_reads`."""
    packed = pack_reads(batch.reads, pad_id=reader.end_ids[0], dtype=reader.backbone.dtype)
    return [
        Sought(row, columns, place)
        for row, places in enumerate(batch.places)
        for slot, place in enumerate(places)
        if place is not None and len(columns := (packed.prompts[row] == slot).nonzero()[:, 0])
    ]


def place_nats(keys: Tensor, queries: Tensor, sought: Sequence[Sought], lengths: Sequence[int]) -> Tensor:
    """Mean over answers of −log the share of its place.

    Args:
        keys, queries: `[batch, heads, time, rank]`, of the texts and of the reads.
        lengths: the tokens of each text.
    """
    total = keys.new_zeros(())
    for row, columns, place in sought:
        asked = queries[row, :, columns].mean(1)  # [heads, rank]
        likeness = torch.einsum("hr,htr->t", asked, keys[row, :, : lengths[row]])
        total = total - (SHARPNESS * likeness).log_softmax(0)[place]
    return total / max(1, len(sought))
