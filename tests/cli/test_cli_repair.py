"""`verify --repair`: what is damaged is rebuilt from what is whole, and what cannot be rebuilt is said."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Invoke, checked

from dmdoc.library.library import Library
from dmdoc.library.record import write_record


@pytest.fixture
def folder(invoke: Invoke, lots: Path, home: Path) -> Path:
    """The folder of a document that is tagged."""
    invoke("ingest", str(lots), "--tag", "salt", "--quiet")
    return Library(home).get("lots").folder


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


def change_the_source(folder: Path) -> None:
    path = folder / "document.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, "source": "/elsewhere/lots.txt"}), encoding="utf-8")


def another_text(path: Path) -> None:
    """A text that is whole, but of another document."""
    write_record(path, {"pages": ["Lot nine holds tar."]})


REPAIRS: dict[str, tuple[Callable[[Path], object], str, bool]] = {
    "no description": (lambda f: (f / "document.json").unlink(), "its source and its tags are lost", False),
    "a damaged tag": (lambda f: flip(f / "document.json", -90), "its tags are lost", True),
    "a description of another source": (change_the_source, "its source and its tags are lost", False),
    "no text": (lambda f: (f / "pages.json").unlink(), "its text was read again from ", True),
    "a damaged text": (lambda f: flip(f / "pages.json", 60), "its text was read again from ", True),
    "another text": (lambda f: another_text(f / "pages.json"), "its text was read again from ", True),
    "a damaged state": (lambda f: flip(f / "state.safetensors", -5), "its state was written again", True),
}
"""What is damaged, what is told of its repair, and whether the source is known afterwards."""


@pytest.mark.slow
@pytest.mark.parametrize(("damage", "told", "source"), REPAIRS.values(), ids=REPAIRS.keys())
def test_what_is_damaged_is_rebuilt(
    invoke: Invoke, folder: Path, lots: Path, damage: Callable[[Path], object], told: str, source: bool
) -> None:
    saved = Library(folder.parent.parent).get("lots")
    pages, state, answer = saved.pages(), saved.state()[0], invoke("ask", "Salt?", "--max-tokens", "3").out
    damage(folder)
    assert invoke("verify", "lots").code == 1
    run = invoke("verify", "--repair", "lots", "--json")
    (record,) = checked("verify", run.out)["documents"]
    assert (run.code, record["status"]) == (0, "repaired")
    assert told in " ".join(record["repaired"])
    again = Library(folder.parent.parent).get("lots")
    assert (again.pages(), again.source == str(lots)) == (pages, source)
    assert again.state()[0].equals(state)
    assert invoke("ask", "Salt?", "--max-tokens", "3").out == answer
    assert invoke("verify", "--all").out.startswith("lots: verified, ")


def write(path: Path, content: str = "") -> int:
    return path.write_text(content, encoding="utf-8")


LOSSES: dict[str, Callable[[Path, Path], object]] = {
    "the text, of a file that was changed": lambda f, lots: (write(f / "pages.json"), write(lots, "Sand.")),
    "the text, of a file that is gone": lambda f, lots: (write(f / "pages.json"), lots.rename(f"{lots}.old")),
    "the description and the state": lambda f, _: (
        write(f / "document.json"),
        write(f / "state.safetensors"),
    ),
    "the state": lambda f, _: write(f / "state.safetensors"),
}


@pytest.mark.parametrize("damage", LOSSES.values(), ids=LOSSES.keys())
def test_what_cannot_be_rebuilt_is_said_and_left(
    invoke: Invoke, folder: Path, lots: Path, damage: Callable[[Path, Path], object]
) -> None:
    damage(folder, lots)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    run = invoke("verify", "--repair", "lots")
    assert (run.code, run.out, run.err.count("\n")) == (1, "", 1)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_who_meets_damage_hears_of_the_repair(invoke: Invoke, folder: Path) -> None:
    (folder / "document.json").write_bytes(b"")
    run = invoke("show", "lots")
    assert (run.code, run.err.count("\n")) == (1, 1)
    assert "(`dmdoc verify --repair NAME` rebuilds what it can)" in run.err


def test_a_whole_document_is_left_alone(invoke: Invoke, folder: Path) -> None:
    before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in folder.iterdir()}
    assert invoke("verify", "--repair", "--all").out.startswith("lots: verified, ")
    assert {path.name: (path.stat().st_ino, path.read_bytes()) for path in folder.iterdir()} == before
