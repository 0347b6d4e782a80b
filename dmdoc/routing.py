"""Which section of a document answers a question: found from the states alone, without any text.

Every section gives its likeliest answer; the one whose state makes its own answer most likelier than an empty state
does is taken. Knows nothing about saved documents or how the answer is then drawn.
"""

from collections.abc import Sequence

from dmdoc.memory_state import MemoryState
from dmdoc.reader import Reader
from dmdoc.settings import GenerationSettings
from dmdoc.support import supports

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
    lifts: list[float] = []
    for start in range(0, state.batch, PASS_SECTIONS):
        lifts += _lifts(prompt_ids, state.rows(start, start + PASS_SECTIONS), reader)
    return lifts.index(max(lifts))


def _lifts(prompt_ids: Sequence[int], state: MemoryState, reader: Reader) -> list[float]:
    """How much likelier each state makes its own answer than an empty one does, in nats a token."""
    prompts = [prompt_ids] * state.batch
    answers = reader.generate_batch(prompts, state, GenerationSettings(CANDIDATE_TOKENS))
    return [support.lift for support in supports(prompts, answers, state, reader)]
