"""The phrases that could answer a question, in the order in which they are worth reading."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from dmdoc.answer.statements import Statement
from dmdoc.answer.weighing import Asked, Measures, weigh
from dmdoc.memory.state import MemoryState
from dmdoc.model.continuations import hear_next
from dmdoc.model.reader import Reader
from dmdoc.text.candidates import Candidate, find_candidates


class Found(NamedTuple):
    """A phrase before the model has read it."""

    statement: Statement
    candidate: Candidate
    measures: Measures
    """With a likelihood of 0."""


def candidates(read: Sequence[Statement], asked: Asked, question: str) -> list[Found]:
    """The phrases of statements, each once, those first that may win."""
    found: dict[str, Found] = {}
    for statement in read:
        for candidate in find_candidates(statement.text, question):
            if candidate.text not in found:
                found[candidate.text] = Found(statement, candidate, asked.measure(candidate, statement, 0.0))
    return sorted(found.values(), key=lambda each: -weigh(each.measures))


def likely_to_begin(
    found: Sequence[Found], prompt_ids: Sequence[int], state: MemoryState, reader: Reader
) -> list[Found]:
    """Phrases, the best first: by their words, and by how likely their first token is under the state of their section.

    That takes one pass over the prompt, however many phrases there are.
    """
    sections = sorted({each.statement.section for each in found})
    heard = hear_next(prompt_ids, state.select(torch.tensor(sections, device=state.device)), reader).cpu()
    row = {section: number for number, section in enumerate(sections)}

    def likely(each: Found) -> float:
        (first, *_) = reader.encode(each.candidate.text)
        told = float(heard[row[each.statement.section], first])
        return weigh(each.measures._replace(likelihood=told))

    return sorted(found, key=likely, reverse=True)
