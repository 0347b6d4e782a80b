"""What a pointer says of phrases: at which tokens each stands, and when nothing points."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from tiny import tiny_pointer, tiny_reader
from torch import Tensor

from dmdoc.answer.pointing import LEAST, USUAL, point_at
from dmdoc.answer.recall import recall
from dmdoc.answer.spans import search_statements
from dmdoc.answer.written import Written, as_written
from dmdoc.ingest.sections import write_text
from dmdoc.memory.state import MemoryState
from dmdoc.model.pointer import Pointed, Pointer
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

PAGES = ("The barge Sorrel was built in Lund. It sails at 07:50.", "The ferry office sells tickets in Oslo.")
QUESTION = "Where was the barge Sorrel built?"


class PointsAt(Pointer):
    """Points at one place of every text, and believes that every second answer is not there."""

    def __init__(self, start: int, end: int) -> None:
        made = tiny_pointer()
        super().__init__(made.shape, made.fingerprint)
        self.load_state_dict(made.state_dict())
        self._place = start, end

    def point(
        self, question: Tensor, texts: Sequence[Tensor], standing: Sequence[Sequence[int]]
    ) -> list[Pointed]:
        said = []
        for text in texts:
            starts, ends = (torch.full((1 + len(text),), -9.0) for _ in range(2))
            starts[0] = ends[0] = -0.5
            for place, value in zip((starts, ends), self._place, strict=True):
                place[1 + min(value, len(text) - 1)] = -0.25
            said.append(Pointed(starts, ends))
        return said


def reader_that_points(at: str) -> Reader:
    """At the first such words of the first page: a token is a byte."""
    start = PAGES[0].index(at)
    return tiny_reader(pointer=PointsAt(start, start + len(at) - 1))


def written(reader: Reader, budget: int | None = None) -> tuple[Written, MemoryState]:
    text = "\n\n".join(PAGES)
    state = write_text(text, reader)
    return as_written(PAGES, state, reader, budget), state


def pointed(reader: Reader, state: MemoryState, document: Written) -> dict[str, float]:
    search = search_statements(QUESTION, document)
    found = point_at(search.phrases(0), QUESTION, document.chunks, state, reader)
    return {each.candidate.text: each.measures.pointed for each in found}


def test_the_phrase_that_stands_where_it_points_is_the_likeliest() -> None:
    reader = reader_that_points("Lund")
    document, state = written(reader)
    found = pointed(reader, state, document)
    assert found["Lund"] == pytest.approx(-0.5 - USUAL)
    assert max(value for text, value in found.items() if text != "Lund") < -9 - USUAL


def test_the_answer_is_where_it_points() -> None:
    settings = GenerationSettings(max_tokens=4)
    for place in ("Lund", "07:50"):
        reader = reader_that_points(place)
        _, state = written(reader)
        found = recall(QUESTION, reader, state, lambda: PAGES, settings=settings, mode="spans")
        assert found.choice is not None
        best = max(found.choice.read, key=lambda span: span.measures.pointed)
        assert best.text == place


def test_nothing_points_without_a_pointer_without_vectors_or_with_those_of_another() -> None:
    reader = reader_that_points("Lund")
    document, state = written(reader)
    assert state.vectors is not None
    others = [
        (replace(reader, pointer=None), state),
        (reader, replace(state, vectors=None)),
        (reader, replace(state, vectors=replace(state.vectors, maker="another"))),
        (reader, replace(state, vectors=replace(state.vectors, rows=(None,) * state.batch))),
        (reader, replace(state, vectors=replace(state.vectors, rows=(torch.zeros(3, 8, dtype=torch.int8),)))),
    ]
    for own, kept in others:
        search = search_statements(QUESTION, document)
        found = point_at(search.phrases(0), QUESTION, document.chunks, kept, own)
        assert {each.measures.pointed for each in found} == {0}


def test_a_phrase_beyond_the_end_of_its_section_is_not_pointed_at() -> None:
    reader = reader_that_points("Lund")
    document, state = written(reader)
    cut = replace(document.chunks[0], text=PAGES[0][:20])
    kept = replace(state, vectors=replace(state.vectors, rows=(state.vectors.rows[0][:20],)))  # type: ignore
    search = search_statements(QUESTION, document)
    found = point_at(search.phrases(0), QUESTION, [cut], kept, reader)
    assert {each.candidate.text: each.measures.pointed for each in found}["Lund"] == LEAST - USUAL


def test_no_phrases_are_no_phrases() -> None:
    reader = reader_that_points("Lund")
    document, state = written(reader)
    assert point_at([], QUESTION, document.chunks, state, reader) == []
