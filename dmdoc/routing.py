"""Which section of a document answers a question: found from the states alone, without any text.

A state recalls values by keys. Where a section speaks of what is asked, its state recalls, by the keys of the
question, much the same values that writing the question would put there. Keys and values do not depend on the state,
so that a question goes through the model once, however many sections there are. Knows nothing about saved documents
or how an answer is drawn.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dmdoc.memory_state import MemoryState
from dmdoc.reader import Reader


def choose_sections(questions: Sequence[str], states: Sequence[MemoryState], reader: Reader) -> list[int]:
    """For each question the row of its own state, a section a row, that speaks most of what it asks."""
    open_ones = [number for number, state in enumerate(states) if state.batch > 1]
    found = matches(
        [questions[number] for number in open_ones], [states[number] for number in open_ones], reader
    )
    chosen = [0] * len(states)
    for number, match in zip(open_ones, found, strict=True):
        chosen[number] = int(match.argmax())
    return chosen


def matches(texts: Sequence[str], states: Sequence[MemoryState], reader: Reader) -> list[Tensor]:
    """How like what each state recalls by the keys of a text is to what that text would be written with.

    The mean, over layers, heads and tokens, of the cosine of S k and v: 0 for an empty state.

    Returns:
        For each text float32 `[batch of its state]`, on the state's device.
    """
    if not texts:
        return []
    tokens = [reader.encode(text) for text in texts]
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
