"""One damaged document never stops the library: the others are listed, asked and verified, and it is told."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Invoke, Run, checked

from dmdoc.library.library import Library

SHORT = ("--max-tokens", "2")


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "an empty document.json": lambda folder: (folder / "document.json").write_bytes(b""),
    "no document.json": lambda folder: (folder / "document.json").unlink(),
    "a document.json that is not UTF-8": lambda folder: (folder / "document.json").write_bytes(b"\xff"),
    "an unknown schema": lambda folder: (folder / "document.json").write_text('{"schema": 99}'),
    "an empty state": lambda folder: (folder / "state.safetensors").write_bytes(b""),
    "no state": lambda folder: (folder / "state.safetensors").unlink(),
    "a state whose header is damaged": lambda folder: flip(folder / "state.safetensors", 20),
    "a state in another place": lambda folder: (folder / "state.safetensors").rename(folder / "state"),
    "a folder of a name that none can have": lambda folder: shutil.move(folder, folder.parent / "bad copy"),
}
"""What happens to a document's folder; each is seen without loading a state."""


@pytest.fixture
def three(invoke: Invoke, tmp_path: Path, home: Path) -> Path:
    """Documents a, bad and c, all tagged; the folder of bad."""
    for name in ("a", "bad", "c"):
        path = tmp_path / f"{name}.txt"
        path.write_text(f"Lot {name} holds salt.", encoding="utf-8")
        invoke("ingest", str(path), "--tag", "lots", "--quiet")
    return Library(home).get("bad").folder


def told(run: Run) -> list[str]:
    """The lines of stderr, each an error about the document or, the last, the count."""
    *errors, last = run.err.splitlines()
    assert len(errors) == 1 and errors[0].startswith("error: bad"), run.err
    assert "1 of 3 documents" in last
    return errors


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_the_others_are_listed_asked_and_verified(
    invoke: Invoke, three: Path, damage: Callable[[Path], object]
) -> None:
    damage(three)
    run = invoke("ls")
    assert run.code == 7
    assert [line.split()[0] for line in run.out.splitlines()[1:]] == ["a", "c"]
    told(run)
    run = invoke("ls", "--json")
    record = checked("ls", run.out)
    assert [each["name"] for each in record["documents"]] == ["a", "c"]
    assert [each["name"][:3] for each in record["damaged"]] == ["bad"]
    for chosen in ((), ("--tag=lots",)):
        run = invoke("ask", "Salt?", "--all", *chosen, *SHORT)
        assert (run.code, [line.split("\t")[0] for line in run.out.splitlines()]) == (7, ["a", "c"])
        told(run)
    run = invoke("verify", "--all", "--json")
    status = {each["document"][:3]: each["status"] for each in checked("verify", run.out)["documents"]}
    assert (run.code, status) == (7, {"a": "verified", "bad": "failed", "c": "verified"})
    assert invoke("show", "a").code == 0
    assert invoke("ask", "Salt?", "-d", "c", *SHORT).code == 0
    assert invoke("tag", "a", "more").code == 0
    assert invoke("rm", "a").code == 0


def test_of_named_documents_the_whole_ones_are_asked(invoke: Invoke, three: Path) -> None:
    (three / "document.json").write_bytes(b"")
    run = invoke("ask", "Salt?", "-d", "bad", "-d", "c", "--all", *SHORT)
    assert (run.code, [line.split("\t")[0] for line in run.out.splitlines()]) == (7, ["c"])


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--jsonl",), ("--evidence",), ("--recall", "full")])
def test_an_altered_text_is_that_documents_failure(
    invoke: Invoke, three: Path, options: tuple[str, ...]
) -> None:
    pages = three / "pages.json"
    pages.write_text(pages.read_text(encoding="utf-8").replace("salt", "sand"), encoding="utf-8")
    run = invoke("ask", "Salt?", "--all", *SHORT, *options)
    assert (run.code, len(run.out.splitlines())) == (7, 2)
    assert sum(line.startswith("error: bad: ") for line in run.err.splitlines()) == 1
    assert run.err.splitlines()[-1] == "error: 1 of 3 documents could not be asked"


@pytest.mark.slow
def test_a_text_that_is_too_long_is_that_documents_failure(
    invoke: Invoke, three: Path, tmp_path: Path
) -> None:
    (tmp_path / "long.txt").write_text("Lot seven holds salt. " * 300, encoding="utf-8")
    assert invoke("ingest", str(tmp_path / "long.txt"), "--quiet").code == 0
    run = invoke("ask", "Salt?", "--all", "--recall", "full", "--jsonl", *SHORT)
    assert [json.loads(line)["document"] for line in run.out.splitlines()] == ["a", "bad", "c"]
    assert run.code == 7
    assert run.err.startswith("error: long: the document has ")


def test_a_missing_state_is_written_again(invoke: Invoke, three: Path, tmp_path: Path) -> None:
    (three / "state.safetensors").unlink()
    assert invoke("ingest", str(tmp_path / "bad.txt"), "--quiet").code == 0
    assert invoke("ls").code == 0
