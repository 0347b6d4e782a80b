"""Which section of a document answers a question: found from the states alone, without any text.

Every section gives its likeliest answer; the one whose state makes its own answer most likelier than an empty state
does is taken. Knows nothing about saved documents or how the answer is then drawn.
"""

from collections.abc import Sequence

import torch

from dmdoc.memory_state import MemoryState
from dmdoc.reader import Reader
from dmdoc.settings import GenerationSettings
from dmdoc.support import lifts

CANDIDATE_TOKENS = 16
"""The most tokens of an answer by which sections are compared."""

PASS_SECTIONS = 16
"""Sections in one forward pass. Bounds memory, not the result."""


def choose_section(prompt_ids: Sequence[int], state: MemoryState, reader: Reader) -> int:
    """The row of `state`, a section a row, from which to answer a prompt.

    Raises:
        UsageError: the prompt does not fit the backbone's context.
    """
    if state.batch == 1:
        return 0
    lifts = [
        _lifts(prompt_ids, state.rows(start, start + PASS_SECTIONS), reader)
        for start in range(0, state.batch, PASS_SECTIONS)
    ]
    return int(torch.cat(lifts).argmax())


def _lifts(prompt_ids: Sequence[int], state: MemoryState, reader: Reader) -> torch.Tensor:
    """How much likelier each state makes its own answer than an empty one does, in nats a token: `[batch]`."""
    prompts = [prompt_ids] * state.batch
    answers = reader.generate_batch(prompts, state, GenerationSettings(CANDIDATE_TOKENS))
    return lifts(prompts, answers, state, reader)
