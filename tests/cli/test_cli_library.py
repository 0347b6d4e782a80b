"""The commands that look after saved documents."""

import json
import os
from pathlib import Path

import pytest
from command_line import Invoke, Run, checked

from dmdoc.library.library import Library
from dmdoc.model import reader as reader_module
from dmdoc.model.reader import Reader


@pytest.fixture
def saved(invoke: Invoke, lots: Path) -> None:
    invoke("ingest", str(lots), "--quiet")


pytestmark = pytest.mark.usefixtures("saved")


def test_show_says_what_is_known(invoke: Invoke, lots: Path, home: Path) -> None:
    record = checked("show", invoke("show", "--json").out)
    assert (record["name"], record["source"], record["tokens"]) == ("lots", str(lots), 264)
    assert (record["current"], record["tags"]) == (True, [])
    assert record["state_bytes"] == Library(home).get("lots").state_path.stat().st_size
    lines = [" ".join(line.split()) for line in invoke("show", "lots").out.splitlines()]
    assert f"source {lots}" in lines
    assert "used where no name is given yes" in lines


def test_what_cannot_be_known_of_an_imported_document_is_called_so(invoke: Invoke, tmp_path: Path) -> None:
    bundle = str(tmp_path / "lots.dmdoc")
    invoke("export", "lots", "-o", bundle)
    invoke("rm", "lots")
    invoke("import", bundle)
    assert ["file", "not", "known"] in [line.split() for line in invoke("show", "lots").out.splitlines()]


def test_tags_are_added_taken_away_and_listed_by(invoke: Invoke) -> None:
    assert invoke("tag", "lots", "salt", "contracts").out == "contracts\nsalt\n"
    assert checked("document", invoke("tag", "lots", "--remove", "salt", "--json").out)["tags"] == [
        "contracts"
    ]
    assert invoke("tag", "lots").out == "contracts\n"
    listed = [
        [found["name"] for found in checked("ls", invoke("ls", "--tag", tag, "--json").out)["documents"]]
        for tag in ("contracts", "salt")
    ]
    assert listed == [["lots"], []]
    assert invoke("ls", "--tag", "salt") == Run(0, "", "no document is tagged 'salt'\n")


def test_a_newer_version_keeps_its_tags(invoke: Invoke, lots: Path) -> None:
    invoke("tag", "lots", "salt")
    lots.write_text("Lot nine holds sand.", encoding="utf-8")
    assert checked("ingest", invoke("ingest", str(lots), "--json").out)["status"] == "updated"
    assert checked("show", invoke("show", "lots", "--json").out)["tags"] == ["salt"]


def test_rename_and_remove(invoke: Invoke) -> None:
    assert checked("document", invoke("rename", "lots", "cargo", "--json").out)["name"] == "cargo"
    assert checked("show", invoke("show", "--json").out)["name"] == "cargo"
    assert checked("rm", invoke("rm", "cargo", "--json").out)["removed"] == ["cargo"]
    assert invoke("show", "cargo").code == 3


def test_verify_one(invoke: Invoke, home: Path) -> None:
    run = invoke("verify")
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith("lots: verified, its state moves ")
    (record,) = checked("verify", invoke("verify", "lots", "--json").out)["documents"]
    assert (record["document"], record["status"], record["error"]) == ("lots", "verified", None)
    state = Library(home).get("lots").state_path
    state.write_bytes(state.read_bytes()[:-4])
    run = invoke("verify", "lots")
    assert (run.code, run.out, run.err.count("\n")) == (1, "", 1)
    assert "truncated" in run.err


def test_verify_all_goes_on_after_a_damaged_one(invoke: Invoke, home: Path, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("Lot nine holds sand.", encoding="utf-8")
    invoke("ingest", str(tmp_path / "other.txt"), "--quiet")
    pages = Library(home).get("lots").folder / "pages.json"
    pages.write_text(pages.read_text(encoding="utf-8").replace("salt", "sand"), encoding="utf-8")
    run = invoke("verify", "--all", "--json")
    found = {record["document"]: record for record in checked("verify", run.out)["documents"]}
    assert (found["lots"]["status"], found["other"]["status"]) == ("failed", "verified")
    assert "pages.json is damaged" in found["lots"]["error"]
    assert run.code == 7
    assert run.err.splitlines()[-1] == "error: 1 of 2 documents failed; the others are whole"
    assert invoke("verify", "--all", "lots").code == 2


def test_a_document_is_handed_over(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    invoke("tag", "lots", "salt")
    record = checked("export", invoke("export", "lots", "--json").out)
    assert (record["document"], record["file"]) == ("lots", str(tmp_path / "lots.dmdoc"))
    assert record["bytes"] == (tmp_path / "lots.dmdoc").stat().st_size
    assert invoke("export", "lots").code == 2
    assert invoke("export", "lots", "--force").code == 0
    answer = invoke("ask", "Salt?", "--max-tokens", "4").out

    monkeypatch.setenv("DMDOC_HOME", str(tmp_path / "there"))
    imported = checked("document", invoke("import", "lots.dmdoc", "--tag", "new", "--json").out)
    assert (imported["name"], imported["source"], imported["tags"]) == ("lots", "lots.txt", ["new", "salt"])
    there = invoke("ask", "Salt?", "--max-tokens", "4")
    assert (there.code, there.out) == (0, answer)
    assert invoke("verify").code == 0


def test_an_imported_document_becomes_that_of_its_file(invoke: Invoke, tmp_path: Path, lots: Path) -> None:
    """Its text is not saved twice, and the states are written here: those of the bundle may be anybody's."""
    bundle = str(tmp_path / "b.dmdoc")
    invoke("ingest", str(lots), "--tag", "own")
    invoke("export", "lots", "--output", bundle)
    invoke("rm", "lots")
    invoke("import", bundle, "--name", "theirs", "--tag", "new")
    assert checked("ingest", invoke("ingest", str(lots), "--json").out)["status"] == "updated"
    (document,) = json.loads(invoke("ls", "--json").out)["documents"]
    assert (document["name"], document["source"], document["tags"]) == ("theirs", str(lots), ["new", "own"])
    assert checked("ingest", invoke("ingest", str(lots), "--json").out)["status"] == "unchanged"

    lots.with_name("other").mkdir()
    other = lots.rename(lots.with_name("other") / "lots.txt")
    other.write_text("Lot nine holds tar.", encoding="utf-8")
    invoke("rm", "theirs")
    invoke("import", bundle)
    assert checked("ingest", invoke("ingest", str(other), "--json").out)["document"] == "other-lots"


def test_the_next_command_clears_away_what_killed_ones_left(
    invoke: Invoke, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of an export, elsewhere on the disk."""
    target = tmp_path / "elsewhere" / "lots.dmdoc"
    target.parent.mkdir()

    def killed(*_: object) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        patch.setattr(os, "unlink", killed)  # neither renamed nor cleared away
        assert invoke("export", "lots", "-o", str(target)).code == 9
    assert [path.suffix for path in target.parent.iterdir()] == [".tmp"]
    (home / "documents" / ".removed-0123").mkdir()
    assert invoke("ls").code == 0
    assert list(target.parent.iterdir()) == []
    assert sorted(path.name for path in (home / "documents").iterdir()) == ["lots"]
    assert list((home / "locks").iterdir()) == []


def test_a_bad_tag_is_refused_before_anything_is_saved(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("export", "lots", "-o", str(tmp_path / "lots.dmdoc"))
    monkeypatch.setenv("DMDOC_HOME", str(tmp_path / "there"))
    assert invoke("import", str(tmp_path / "lots.dmdoc"), "--tag", "Two words").code == 2
    assert invoke("ls", "--json").out.count("lots") == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("show", "nothing"), 3, "there is no saved document 'nothing'"),
        (("rename", "nothing", "else"), 3, "there is no saved document 'nothing'"),
        (("tag", "nothing", "salt"), 3, "there is no saved document 'nothing'"),
        (("tag", "lots", "Two words"), 2, "'Two words' cannot be a tag"),
        (("export", "nothing"), 3, "there is no saved document 'nothing'"),
        (("import", "missing.dmdoc"), 1, "no such file: missing.dmdoc"),
        (("verify", "nothing"), 3, "there is no saved document 'nothing'"),
        (("verify", "lots", "nothing"), 3, "there is no saved document 'nothing'"),
        (("rm", "lots", "nothing"), 3, "there is no saved document 'nothing'"),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code(
    invoke: Invoke, arguments: tuple[str, ...], code: int, message: str
) -> None:
    run = invoke(*arguments)
    assert (run.code, run.out, run.err.count("\n")) == (code, "", 1)
    assert message in run.err


def test_an_imported_document_does_not_choose_the_model(
    invoke: Invoke, lots: Path, tmp_path: Path, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("ingest", str(lots), "--quiet")
    bundle = str(tmp_path / "lots.dmdoc")
    invoke("export", "lots", "-o", bundle)
    monkeypatch.setenv("DMDOC_HOME", str(tmp_path / "there"))
    monkeypatch.setenv("DMDOC_CONFIG", str(tmp_path / "stranger"))
    opened: list[object] = []

    def open_reader(*named: object, **_: object) -> Reader:
        opened.append(named)
        return reader

    monkeypatch.setattr(reader_module, "open_reader", open_reader)
    assert invoke("import", bundle).code == 0
    assert "unchanged" in invoke("import", bundle).err
    run = invoke("ask", "-d", "lots", "Salt?")
    assert (run.code, opened, run.err.count("\n")) == (6, [], 1)
    assert "name them once: `dmdoc ask -d lots --model tiny --adapter tiny-adapter" in run.err
    named = ("--model", "mine", "--adapter", "own", "--max-tokens", "2")
    assert invoke("ask", "-d", "lots", "Salt?", *named).code == 0
    assert invoke("ask", "-d", "lots", "Salt?", "--max-tokens", "2").code == 0
    assert opened == [("mine", "own"), ("tiny", "tiny-adapter")]
