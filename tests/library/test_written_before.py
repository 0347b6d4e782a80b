"""Files that dmdoc 0.1.0 wrote before saved documents had checksums open, verify and answer as they did.

`written_by_ca3ff81` is what that commit wrote with the tiny reader: a library of a plain document, a refined one and
one whose ingest was interrupted; a bundle; and the answers that it gave.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from tiny import tiny_reader

from dmdoc.answer.ask import ask, load_state
from dmdoc.answer.verify import verify
from dmdoc.document import Document
from dmdoc.ingest.single import ingest
from dmdoc.library.bundle import install, read_bundle
from dmdoc.library.library import Library
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.state import MemoryState
from dmdoc.model.prompt import Prompt
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

WRITTEN = Path(__file__).parent / "written_by_ca3ff81"
ANSWERS = json.loads((WRITTEN / "answers.json").read_text(encoding="utf-8"))
LOTS = (
    "Lot seven holds salt. Lot eight holds brine.",
    "",
    "Lot nine \N{EN DASH} « sable » \N{EN DASH} holds sand. Lot ten is empty.",
)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader(DeltaMemConfig(write_layout="plain", write_budget=64))


@pytest.fixture
def library(tmp_path: Path) -> Library:
    shutil.copytree(WRITTEN / "library", tmp_path / "library")
    return Library(tmp_path / "library")


def answer(state: MemoryState, reader: Reader) -> dict[str, object]:
    settings = GenerationSettings(8, 0.0, 1.0, 0)
    said = ask("What is in it?", reader, state, prompt=Prompt("q", "", "{{ question }}"), settings=settings)
    return {"answer_ids": list(said.answer_ids), "section": said.section}


def test_they_are_listed_verified_and_answer_as_before(library: Library, reader: Reader) -> None:
    assert [saved.name for saved in library.documents()] == ["lots", "note"]
    assert library.current().name == "note"
    assert library.get("lots").pages() == LOTS
    assert (library.get("lots").tags, library.get("note").tags) == (("contracts", "salt"), ())
    assert [library.get(name).header().refine_steps for name in ("lots", "note")] == [0, 2]
    for name, said in ANSWERS.items():
        assert verify(library.get(name), reader) > 0
        assert answer(load_state(library.get(name), reader), reader) == said


def test_they_are_tagged_renamed_and_removed(library: Library, reader: Reader) -> None:
    library.tag("lots", add=["old"])
    renamed = library.rename("lots", "cargo")
    assert renamed.tags == ("contracts", "old", "salt")
    assert answer(load_state(renamed, reader), reader) == ANSWERS["lots"]
    library.remove("cargo", "torn")
    assert library.names() == ("note",)


def test_what_is_unchanged_is_not_read_again(library: Library, reader: Reader) -> None:
    lots = Document("lots", "/papers/lots.txt", LOTS)
    assert ingest(lots, reader, library).status == "unchanged"


def test_an_interrupted_ingest_goes_on(library: Library, reader: Reader) -> None:
    text = ("A text of which one section was written. " * 5,)
    result = ingest(Document("torn", "/papers/torn.txt", text), reader, library)
    assert result.status == "resumed"
    fresh = ingest(Document("fresh", "-", text), reader, library).document
    assert all(map(torch.equal, result.document.state()[0].layers, fresh.state()[0].layers))


def test_a_bundle_is_imported(library: Library, reader: Reader) -> None:
    saved, _ = install(read_bundle(WRITTEN / "lots.dmdoc"), library, name="again")
    assert (saved.pages(), saved.tags) == (LOTS, ("contracts", "salt"))
    assert answer(load_state(saved, reader), reader) == ANSWERS["lots"]
