"""Which section of a document answers a question: found from the states alone, without any text.

A state recalls values by keys. Where a section speaks of what is asked, its state recalls, by the keys of the
question, much the same values that writing the question would put there. Keys and values do not depend on the state,
so that a question goes through the model once, however many sections there are. Of the few that match best, how
likely each makes the question itself has a say, too. Knows nothing about saved documents or how an answer is drawn.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dmdoc.answer.support import log_likelihoods
from dmdoc.memory.state import MemoryState
from dmdoc.model.batching import in_batches
from dmdoc.model.reader import Reader

FINALISTS = 3
"""Sections that match best, under each of which the question is read: two to eight chose alike."""

MATCH_NATS = 16.0
"""What a match of 1 is worth beside the question's log-likelihood in nats a token; measured, see
docs/long-documents.md."""


def choose_sections(questions: Sequence[str], states: Sequence[MemoryState], reader: Reader) -> list[int]:
    """For each question the row of its own state, a section a row, that speaks most of what it asks."""
    open_ones = [number for number, state in enumerate(states) if state.batch > 1]
    chosen = [0] * len(states)
    if not open_ones:
        return chosen
    asked, own = [questions[number] for number in open_ones], [states[number] for number in open_ones]
    best = [match.topk(min(FINALISTS, len(match))) for match in matches(asked, own, reader)]
    finalists = MemoryState.cat([state.select(rows) for state, (_, rows) in zip(own, best, strict=True)])
    counts = [len(rows) for _, rows in best]
    tokens = [
        reader.encode(question) for question, count in zip(asked, counts, strict=True) for _ in range(count)
    ]
    likely = log_likelihoods([ids[:1] for ids in tokens], [ids[1:] for ids in tokens], finalists, reader)
    for number, (match, rows), said in zip(open_ones, best, torch.split(likely, counts), strict=True):
        chosen[number] = int(rows[(said + MATCH_NATS * match).argmax()])
    return chosen


def matches(texts: Sequence[str], states: Sequence[MemoryState], reader: Reader) -> list[Tensor]:
    """How like what each state recalls by the keys of a text is to what that text would be written with.

    The mean, over layers, heads and tokens, of the cosine of S k and v: 0 for an empty state.

    Returns:
        For each text float32 `[batch of its state]`, on the state's device.
    """
    tokens = [reader.encode(text) for text in texts]

    def together(rows: Sequence[int]) -> list[Tensor]:
        return _matches([tokens[row] for row in rows], [states[row] for row in rows], reader)

    return in_batches(together, [len(own) for own in tokens])


def _matches(tokens: Sequence[Sequence[int]], states: Sequence[MemoryState], reader: Reader) -> list[Tensor]:
    """As `matches`, all texts in one pass."""
    written = reader.write_inputs(tokens)
    found = []
    for row, (own, state) in enumerate(zip(tokens, states, strict=True)):
        cosines = []
        for layer, inputs in zip(state.layers, written, strict=True):
            keys, values = inputs.keys[row, :, : len(own)], inputs.values[row, :, : len(own)]
            recalled = keys @ layer.transpose(-1, -2)  # [batch, heads, time, rank]
            cosines.append(functional.cosine_similarity(recalled, values, dim=-1).mean((1, 2)))
        found.append(torch.stack(cosines).mean(0))
    return found
