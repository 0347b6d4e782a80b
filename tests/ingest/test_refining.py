"""A refinement that was interrupted goes on where it was, to the same bytes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny import tiny_reader
from tiny_practice import CONFIG, LONG

from dmdoc.document import Document
from dmdoc.ingest import refining, room, sections
from dmdoc.ingest.single import IngestProgress, ingest
from dmdoc.library.library import Library
from dmdoc.memory.state import MemoryState
from dmdoc.model.reader import Reader
from dmdoc.refine.practice import Practice, section_practice
from dmdoc.refine.steps import Halfway, refine
from dmdoc.text.chunking import Chunk

pytestmark = pytest.mark.slow

STEPS = 3
TEXT = LONG[:150]
LOTS = Document(name="lots", source="/files/lots.txt", pages=(TEXT,))


class Interrupted(Exception):
    """Stands for whatever ends a process."""


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader(CONFIG)


@pytest.fixture(autouse=True, scope="module")
def small_batches() -> Iterator[None]:
    """A batch is a section, and its practice is short, and made once."""
    made: dict[str, Practice] = {}

    def practice(chunk: Chunk, reader: Reader) -> Practice:
        if chunk.text not in made:
            made[chunk.text] = section_practice(chunk, reader)[:2]
        return made[chunk.text]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "BATCH_TOKENS", 100)
        patch.setattr(sections, "section_practice", practice)
        yield


@pytest.fixture(scope="module")
def whole(reader: Reader, tmp_path_factory: pytest.TempPathFactory) -> MemoryState:
    """The states of an ingest that nothing interrupted."""
    library = Library(tmp_path_factory.mktemp("whole"))
    return ingest(LOTS, reader, library, refine_steps=STEPS).document.state()[0]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setattr(refining, "KEEP_SECONDS", 0)
    return Library(tmp_path / "home")


def interrupted_at(step: int, batch: int, reader: Reader, library: Library) -> None:
    """Ingest until a step of the batch that comes after so many others."""
    begun = 0

    def stop(progress: IngestProgress) -> None:
        nonlocal begun
        begun += progress.refine_step == 0 and progress.nats is not None
        if begun == batch + 1 and progress.refine_step == step:
            raise Interrupted

    with pytest.raises(Interrupted):
        ingest(LOTS, reader, library, refine_steps=STEPS, progress=stop)


def steps_of(reader: Reader, library: Library) -> tuple[list[int], MemoryState]:
    """Ingest to the end; the steps of its first batch, and the states."""
    steps: list[int] = []
    saved = ingest(
        LOTS,
        reader,
        library,
        refine_steps=STEPS,
        progress=lambda progress: steps.append(progress.refine_step) if progress.nats is not None else None,
    ).document
    assert sorted(path.name for path in saved.folder.iterdir()) == [
        "document.json",
        "pages.json",
        "state.safetensors",
    ]
    return steps[: steps.index(STEPS) + 1], saved.state()[0]


def practices(reader: Reader) -> tuple[MemoryState, list[Practice]]:
    chunks = reader.chunks(TEXT)
    with torch.no_grad():
        state = reader.write(chunks, reader.zero_state(len(chunks)))
    return state, [section_practice(chunk, reader)[:2] for chunk in chunks]


def test_every_step_can_be_the_one_to_go_on_from(reader: Reader) -> None:
    state, own = practices(reader)
    kept: list[Halfway] = []
    expected = refine(state, own, reader, STEPS, keep=kept.append)
    assert [halfway.steps for halfway in kept] == [1, 2, 3]
    for halfway in kept:
        assert refine(state, own, reader, STEPS, begun=halfway).equals(expected)


@pytest.mark.parametrize(("step", "batch"), [(1, 0), (2, 1)])
def test_an_interrupted_ingest_takes_only_the_steps_that_are_left(
    step: int, batch: int, reader: Reader, library: Library, whole: MemoryState
) -> None:
    interrupted_at(step, batch, reader, library)
    steps, state = steps_of(reader, library)
    assert steps == list(range(step, STEPS + 1))
    assert state.equals(whole)


@pytest.mark.parametrize("at", [0, -1])
def test_what_is_damaged_is_taken_again(
    at: int, reader: Reader, library: Library, whole: MemoryState
) -> None:
    interrupted_at(2, 0, reader, library)
    (kept,) = (library.root / "documents" / ".staging-lots").glob("refining-*")
    content = bytearray(kept.read_bytes())
    content[at] ^= 1
    kept.write_bytes(content)
    steps, state = steps_of(reader, library)
    assert steps == list(range(STEPS + 1))
    assert state.equals(whole)


def test_what_an_earlier_version_kept_is_taken_again(
    reader: Reader, library: Library, whole: MemoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = refining.Refining.keep

    def keep_moments(own: refining.Refining, halfway: Halfway) -> None:
        kept(
            own,
            Halfway(halfway.steps, {"first": halfway.tensors["first"], "exp_avg.0": halfway.tensors["mean"]}),
        )

    monkeypatch.setattr(refining.Refining, "keep", keep_moments)
    interrupted_at(2, 0, reader, library)
    steps, state = steps_of(reader, library)
    assert steps == list(range(STEPS + 1))
    assert state.equals(whole)


def test_another_refinement_begins_anew(reader: Reader, library: Library, tmp_path: Path) -> None:
    interrupted_at(2, 0, reader, library)
    other = ingest(LOTS, reader, library, refine_steps=STEPS + 1).document.state()[0]
    fresh = ingest(LOTS, reader, Library(tmp_path / "fresh"), refine_steps=STEPS + 1).document.state()[0]
    assert other.equals(fresh)


def test_it_is_not_kept_after_every_step(
    reader: Reader, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refining, "KEEP_SECONDS", 3600)
    interrupted_at(2, 0, reader, library)
    assert not list((library.root / "documents").rglob("refining-*"))
