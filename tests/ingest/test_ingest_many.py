"""Many documents in one run: the same states as alone, and one that fails stops no other."""

import os
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from threading import current_thread
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fake_card import FakeCard
from tiny import tiny_reader

from dmdoc.document import Document
from dmdoc.errors import ExtractionError
from dmdoc.ingest import many as module
from dmdoc.ingest import sections
from dmdoc.ingest.many import Outcome, ingest_many
from dmdoc.ingest.room import room_for
from dmdoc.ingest.sections import write_sections
from dmdoc.ingest.single import IngestProgress, ingest
from dmdoc.library.library import Library
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.state import MemoryState
from dmdoc.model.reader import Reader
from dmdoc.text.chunking import Chunk

REPEATS = (2, 5, 1, 6, 3, 4, 7, 8)
TEXTS = {f"lot-{number}": f"Lot {number} holds salt. " * times for number, times in enumerate(REPEATS, 1)}


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader(DeltaMemConfig(write_layout="plain", write_budget=64))


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


def read(name: str) -> Document:
    if name not in TEXTS:
        raise ExtractionError(f"no such file: {name}")
    return Document(name, f"/lots/{name}.txt", (TEXTS[name],))


def run(names: Iterable[str], reader: Reader, library: Library, **options: Any) -> list[Outcome]:
    shown = options.pop("show_progress", lambda _: nullcontext())
    return list(ingest_many(names, read, reader, library, show_progress=shown, **options))


def statuses(outcomes: Iterable[Outcome]) -> dict[str, str]:
    return {each.source: each.result.status if each.result else str(each.error) for each in outcomes}


@pytest.mark.slow
def test_documents_written_together_have_the_states_that_they_have_alone(
    reader: Reader, library: Library, tmp_path: Path
) -> None:
    outcomes = run(TEXTS, reader, library)
    assert statuses(outcomes) == dict.fromkeys(TEXTS, "added")
    alone = Library(tmp_path / "alone")
    for name in TEXTS:
        ingest(read(name), reader, alone)
        together, expected = library.get(name), alone.get(name)
        for mine, theirs in zip(together.state()[0].layers, expected.state()[0].layers, strict=True):
            assert float((mine - theirs).abs().max()) < 1e-4
        assert together.header().sections == expected.header().sections
    assert library.current().name == "lot-8"


def test_short_documents_share_their_passes(
    reader: Reader, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []

    def counted(batch: list[Chunk], *arguments: Any) -> MemoryState:
        passes.append(len(batch))
        return write_sections(batch, *arguments)

    monkeypatch.setattr(sections, "write_sections", counted)
    run(TEXTS, reader, library)
    assert passes == [sum(saved.header().sections_total for saved in library.documents())]


def test_a_long_document_is_written_by_itself_with_its_progress(
    reader: Reader, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dmdoc.ingest.room.BATCH_TOKENS", 120)
    shown: list[str] = []

    def show(name: str) -> Any:
        shown.append(name)
        return nullcontext()

    assert statuses(run(TEXTS, reader, library, show_progress=show)) == dict.fromkeys(TEXTS, "added")
    assert shown == ["lot-7", "lot-8"]


def test_what_fails_stops_no_other(reader: Reader, library: Library) -> None:
    ingest(Document("lot-2", "/elsewhere/lot-2.txt", ("Sand.",)), reader, library)
    outcomes = statuses(run(["missing", "lot-1", "lot-2", "lot-3"], reader, library))
    assert outcomes["missing"] == "no such file: missing"
    assert "the name 'lot-2' is taken" in outcomes["lot-2"]
    assert (outcomes["lot-1"], outcomes["lot-3"]) == ("added", "added")


def test_a_second_run_does_what_is_left(
    reader: Reader, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(["lot-1", "lot-2"], reader, library)
    monkeypatch.setitem(TEXTS, "lot-2", "Lot 2 holds sand.")
    outcomes = statuses(run(["lot-1", "lot-2", "lot-3"], reader, library))
    assert outcomes == {"lot-1": "unchanged", "lot-2": "updated", "lot-3": "added"}
    assert set(statuses(run(["lot-1", "lot-3"], reader, library, force=True)).values()) == {"updated"}


def test_refined_documents_are_refined_as_alone(reader: Reader, library: Library, tmp_path: Path) -> None:
    run(["lot-1", "lot-2"], reader, library, refine_steps=1)
    alone = ingest(read("lot-1"), reader, Library(tmp_path / "alone"), refine_steps=1).document
    assert library.get("lot-1").state()[0].equals(alone.state()[0])


def test_documents_have_their_tags_as_soon_as_they_are_there(
    reader: Reader, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Library, "tag", None)  # not in a second step
    run(["lot-1", "lot-2"], reader, library, tags=["salt"])
    run(["lot-7"], reader, library, tags=["salt"])
    assert {saved.tags for saved in library.documents()} == {("salt",)}


def test_an_unchanged_document_is_tagged(reader: Reader, library: Library) -> None:
    run(["lot-1"], reader, library)
    assert statuses(run(["lot-1"], reader, library, tags=["salt"])) == {"lot-1": "unchanged"}
    assert library.get("lot-1").tags == ("salt",)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no limit on open files")
def test_as_many_documents_as_there_are_need_no_more_open_files(reader: Reader, library: Library) -> None:
    """They are all in one group, which is far more than may be open at once."""
    import resource

    names = [f"note-{number}" for number in range(60)]

    def note(name: str) -> Document:
        return Document(name, f"/notes/{name}.txt", (name,))

    open_now = len(os.listdir("/proc/self/fd"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 20, hard))
    try:
        outcomes = list(ingest_many(names, note, reader, library, show_progress=lambda _: nullcontext()))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert statuses(outcomes) == dict.fromkeys(names, "added")
    assert library.names() == tuple(sorted(names))


class TestOnACard:
    """With tensors on the processor that say they lie on a card."""

    @pytest.fixture
    def card(self, monkeypatch: pytest.MonkeyPatch) -> FakeCard:
        monkeypatch.setattr("dmdoc.ingest.room.BATCH_TOKENS", 120)
        card = FakeCard(monkeypatch)
        save, write = Library.finish, sections.write_sections

        def saved(library: Library, staged: Any, *arguments: Any, **options: Any) -> Any:
            card.told.append(f"saved {staged.name}")
            return save(library, staged, *arguments, **options)

        def written(*arguments: Any, **options: Any) -> MemoryState:
            card.told.append("written")
            return write(*arguments, **options)

        monkeypatch.setattr(Library, "finish", saved)
        monkeypatch.setattr(sections, "write_sections", written)
        monkeypatch.setattr(sections, "on_device", lambda numbers, device: torch.tensor(numbers))
        monkeypatch.setattr("dmdoc.ingest.single.write_sections", written)
        return card

    @pytest.mark.slow
    def test_documents_are_saved_while_the_next_are_written(
        self, reader: Reader, library: Library, card: FakeCard
    ) -> None:
        names = [f"note-{number}" for number in range(20)]
        notes = {name: Document(name, f"/notes/{name}.txt", ("Lot 7 holds salt. " * 5,)) for name in names}
        outcomes = list(
            ingest_many(names, notes.__getitem__, reader, library, show_progress=lambda _: nullcontext())
        )
        assert [outcome.source for outcome in outcomes] == names
        assert statuses(outcomes) == dict.fromkeys(names, "added")
        told = [what for what in card.told if what.startswith(("saved", "copy"))]
        assert told.index("saved note-0") > told.index("copy begun", told.index("copy begun") + 1)
        assert told.count("copy begun") == told.count("copy awaited") > 2

    def test_a_batch_is_saved_while_the_next_is_written(
        self, reader: Reader, library: Library, card: FakeCard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        progress: list[IngestProgress] = []
        long = Document("lots", "/lots.txt", (TEXTS["lot-8"] * 4,))
        saved = ingest(long, reader, library, progress=progress.append).document
        told = [what for what in card.told if what in ("written", "copy awaited")]
        assert told[:5] == ["written", "written", "copy awaited", "written", "copy awaited"]
        assert [each.sections_written for each in progress][-1] == saved.header().sections_total
        assert progress == sorted(progress, key=lambda each: each.sections_written)

    def test_the_next_documents_are_read_while_one_is_written(
        self, reader: Reader, library: Library, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        on_card = replace(reader, backbone=replace(reader.backbone, device=torch.device("cuda")))
        threads: set[str] = set()

        def noted(name: str) -> Document:
            threads.add(current_thread().name)
            return read(name)

        monkeypatch.setattr(module, "_Saving", lambda *_: SimpleNamespace(together=list, end=list))
        room = room_for(reader)
        list(ingest_many(TEXTS, noted, on_card, library, room=room, show_progress=lambda _: nullcontext()))
        assert threads == {"ahead"}
