"""What a pointer says of phrases: at which tokens each stands, and when nothing points."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from tiny import tiny_pointer, tiny_reader
from torch import Tensor

from dmdoc.answer.pointing import USUAL, point_at
from dmdoc.answer.recall import recall
from dmdoc.answer.spans import search_statements
from dmdoc.answer.written import Written, as_written
from dmdoc.ingest.room import room_for
from dmdoc.ingest.sections import write_all, write_text
from dmdoc.memory.state import MemoryState
from dmdoc.memory.token_vectors import TokenVectors
from dmdoc.model.pointer import Pointed, Pointer
from dmdoc.model.prompt import load_prompt
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
        (reader, replace(state, vectors=TokenVectors.of(state.vectors.maker, [None] * state.batch))),
        (reader, replace(state, vectors=TokenVectors.of(state.vectors.maker, [state.vectors.whole[:3]]))),
    ]
    for own, kept in others:
        search = search_statements(QUESTION, document)
        found = point_at(search.phrases(0), QUESTION, document.chunks, kept, own)
        assert {each.measures.pointed for each in found} == {0}


def test_a_phrase_that_is_cut_in_two_has_nothing_for_it_or_against_it() -> None:
    reader = reader_that_points("Lund")
    document, state = written(reader)
    assert state.vectors is not None
    end = PAGES[0].index("07:50") + 2
    cut = replace(document.chunks[0], text=PAGES[0][:end])
    kept = replace(state, vectors=TokenVectors.of(state.vectors.maker, [state.vectors.whole[:end]]))
    search = search_statements(QUESTION, document)
    found = {each.candidate.text: each for each in point_at(search.phrases(0), QUESTION, [cut], kept, reader)}
    assert found["07:50"].measures.pointed == 0
    assert found["Lund"].measures.pointed == pytest.approx(-0.5 - USUAL)


PARTS = ("Tide tables stand here. " * 8, "", "The barge Sorrel was built in Lund. " * 4)


@pytest.mark.parametrize("number", [0, 1])
def test_in_every_section_the_phrase_is_found_at_its_own_tokens(number: int) -> None:
    reader = tiny_reader()
    text = "\n\n".join(part for part in PARTS if part)
    chunks = reader.chunks(text, 150)
    assert len(chunks) > 2
    word = "Tide tables" if number == 0 else "Lund"
    chunk = next(each for each in chunks if word in each.text)
    start = chunk.text.index(word)
    reader = tiny_reader(pointer=PointsAt(start, start + len(word) - 1))
    state = write_all(chunks, reader, 0, room_for(reader, 0, 150))
    document = as_written(PARTS, state, reader, 150)
    question = "Which tables stand here, and where was the barge built?"
    search = search_statements(question, document)
    found = point_at(search.phrases(0), question, document.chunks, state, reader)
    best = max(found, key=lambda each: each.measures.pointed)
    assert best.candidate.text == word
    assert best.measures.pointed == pytest.approx(-0.5 - USUAL)


def test_a_section_without_vectors_leaves_all_phrases_as_they_were() -> None:
    reader = reader_that_points("Lund")
    text = "\n\n".join(part for part in PARTS if part)
    chunks = reader.chunks(text, 150)
    state = write_all(chunks, reader, 0, room_for(reader, 0, 150))
    assert state.vectors is not None
    rows = [None if number == 0 else row for number, row in enumerate(state.vectors.rows)]
    kept = replace(state, vectors=TokenVectors.of(state.vectors.maker, rows))
    document = as_written(PARTS, kept, reader, 150)
    question = "Which tables stand here, and where was the barge built?"
    found = point_at(
        search_statements(question, document).phrases(0), question, document.chunks, kept, reader
    )
    assert {each.measures.pointed for each in found} == {0}


@pytest.mark.parametrize("question", [None, ""])
def test_without_a_question_nothing_points(question: str | None) -> None:
    reader = reader_that_points("Lund")
    _, state = written(reader)
    settings = GenerationSettings(max_tokens=4)
    prompt = load_prompt("summarise")
    found = recall(question, reader, state, lambda: PAGES, settings=settings, mode="spans", prompt=prompt)
    assert found.choice is not None and found.choice.span is not None
    assert found.choice.span.measures.pointed == 0


def test_no_phrases_are_no_phrases() -> None:
    reader = reader_that_points("Lund")
    document, state = written(reader)
    assert point_at([], QUESTION, document.chunks, state, reader) == []
