"""Which section of a document answers a question: found from the states alone, without any text.

Every section gives its likeliest answer; the one whose state makes its own answer most likelier than an empty state
does is taken. Knows nothing about saved documents or how the answer is then drawn.
"""

from collections.abc import Sequence
from itertools import islice

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
    (chosen,) = choose_sections([prompt_ids], [state], reader)
    return chosen


def choose_sections(
    prompts: Sequence[Sequence[int]], states: Sequence[MemoryState], reader: Reader
) -> list[int]:
    """As `choose_section`, for each prompt in its own state; the sections of all go through the model together."""
    rows = [
        (prompt_ids, state.rows(section, section + 1))
        for prompt_ids, state in zip(prompts, states, strict=True)
        if state.batch > 1
        for section in range(state.batch)
    ]
    lifts: list[float] = []
    for start in range(0, len(rows), PASS_SECTIONS):
        lifts += _lifts(rows[start : start + PASS_SECTIONS], reader)
    left = iter(lifts)
    chosen = []
    for state in states:
        own = list(islice(left, state.batch)) if state.batch > 1 else [0.0]
        chosen.append(own.index(max(own)))
    return chosen


def _lifts(rows: Sequence[tuple[Sequence[int], MemoryState]], reader: Reader) -> list[float]:
    """How much likelier each state makes its own answer to its prompt than an empty one does, in nats a token."""
    prompts = [prompt_ids for prompt_ids, _ in rows]
    state = MemoryState.cat([section for _, section in rows])
    answers = reader.generate_batch(prompts, state, GenerationSettings(CANDIDATE_TOKENS))
    return [support.lift for support in supports(prompts, answers, state, reader)]
