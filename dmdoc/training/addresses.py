"""Where traced keys start: every layer learns by itself to find the places of answers, before any state is written.

The frozen model reads texts and questions once; what enters each layer is kept, and keys, queries and the gates of the
trace are fitted to it by the location loss alone, a layer at a time. That takes minutes, because no step passes
through the model. Values, gates of writing and corrections stay as they are: training proper goes on from there.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from dmdoc.memory.adapter import AttentionSizes, DeltaMemAdapter, DeltaMemLayer
from dmdoc.memory.attach import attention_inputs
from dmdoc.model.packing import pack_reads
from dmdoc.model.reader import Reader
from dmdoc.model.reads import read_logits
from dmdoc.progress import Counted, Report
from dmdoc.training.initial import SKIPPED_DIRECTIONS, principal_directions, random_turn
from dmdoc.training.location import Sought, answers_sought, place_nats
from dmdoc.training.reads import Batch

STEPS = 250
BATCHES_A_STEP = 4
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.05
DROPOUT = 0.2
"""Of what a layer sees: without it the names of training are learned by heart."""


class _Seen(NamedTuple):
    """What the frozen model made of one batch: `[layers]` of `[batch, time, hidden]`."""

    texts: list[Tensor]
    reads: list[Tensor]
    sought: list[Sought]
    lengths: list[int]


def fit_addresses(
    adapter: DeltaMemAdapter,
    reader: Reader,
    batches: Sequence[Batch],
    seed: int,
    progress: Report | None = None,
) -> None:
    """Fit keys, queries and traces of the second half of the heads of every layer.

    What all layers saw of all batches is held in memory: 200 batches of two documents take 3 GB.
    """
    seen = [found for batch in batches if (found := _look(batch, reader)).sought]
    for position in range(len(adapter.layer_indices)):
        _fit_layer(adapter.layer(position), position, seen, seed)
        if progress is not None:
            progress(Counted(position + 1, len(adapter.layer_indices), "layers fitted"))


@torch.no_grad()
def _look(batch: Batch, reader: Reader) -> _Seen:
    model, layers = reader.backbone.model, reader.adapter.layer_indices
    lone = [[replace(read, rivals=()) for read in row] for row in batch.reads]
    packed = pack_reads(lone, pad_id=reader.end_ids[0], dtype=reader.backbone.dtype)
    with attention_inputs(model, layers) as texts:
        model.get_decoder()(
            input_ids=reader.pad([chunk.token_ids for chunk in batch.chunks], 0), use_cache=False
        )
    with attention_inputs(model, layers) as reads:
        read_logits(packed, None, reader)
    sought = answers_sought(replace(batch, reads=tuple(map(tuple, lone))), reader)
    return _Seen(list(texts), list(reads), sought, [len(chunk.token_ids) for chunk in batch.chunks])


def _fit_layer(layer: DeltaMemLayer, position: int, seen: Sequence[_Seen], seed: int) -> None:
    config = layer.config
    heads, hidden = config.num_state_heads - config.num_state_heads // 2, layer.memory_k_proj.shape[1]
    generator = torch.Generator().manual_seed(seed)
    every = torch.cat([each.texts[position].flatten(0, 1).float() for each in seen[:50]])
    strengths, directions = principal_directions(every)
    whitening = directions / strengths[:, None]
    whitening[:SKIPPED_DIRECTIONS] = 0
    # Of the whitened input, in which every direction is as strong: a layer with the traced heads alone.
    small = DeltaMemLayer(
        replace(config, num_state_heads=heads), AttentionSizes(hidden, hidden, hidden, hidden, hidden)
    )
    with torch.no_grad():
        small.memory_k_proj.copy_(random_turn(hidden, generator)[: heads * config.rank])
        small.memory_q_proj.copy_(small.memory_k_proj)
        own = _gate_rows(config.num_state_heads)
        small.trace_bias.copy_(layer.trace_bias[own])
    fitted = [small.memory_k_proj, small.memory_q_proj, small.trace_proj, small.trace_bias]
    optimiser = torch.optim.AdamW(fitted, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=STEPS)
    drawn = random.Random(seed)
    whitened = [
        (each.texts[position].float() @ whitening.T, each.reads[position].float() @ whitening.T)
        for each in seen
    ]
    for _ in range(STEPS):
        for number in drawn.sample(range(len(seen)), min(BATCHES_A_STEP, len(seen))):
            texts, reads = (functional.dropout(each, DROPOUT) for each in whitened[number])
            keys, queries = small.write_inputs(texts).keys, small.queries(reads)
            torch.autograd.backward(place_nats(keys, queries, seen[number].sought, seen[number].lengths))
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
    with torch.no_grad():
        rows = slice(-heads * config.rank, None)
        layer.memory_k_proj[rows] = small.memory_k_proj @ whitening
        layer.memory_q_proj[rows] = small.memory_q_proj @ whitening
        layer.trace_proj[own] = small.trace_proj @ whitening
        layer.trace_bias[own] = small.trace_bias


def _gate_rows(heads: int) -> Tensor:
    """The rows of `trace_proj` (keep, add) that belong to the second half of the heads."""
    traced = torch.arange(heads // 2, heads)
    return torch.cat((traced, heads + traced))
