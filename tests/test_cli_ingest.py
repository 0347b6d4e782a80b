"""`ingest` of many files, as people and scripts meet it."""

import io
import sys
from pathlib import Path

import pytest
from command_line import Invoke, checked

from dmdoc.library import Library


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    for name in ("a/readme.md", "b/readme.md", "b/lot.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"The file {name} holds salt.", encoding="utf-8")
    return folder


def test_a_folder_is_read_a_line_of_status_each(invoke: Invoke, papers: Path) -> None:
    run = invoke("ingest", str(papers), "--glob", "*.md")
    assert (run.code, run.out) == (0, "")
    assert [line.split(",")[0] for line in run.err.splitlines()] == ["readme: added", "b-readme: added"]
    again = invoke("ingest", str(papers))
    assert [line.split(",")[0] for line in again.err.splitlines()] == [
        "readme: unchanged",
        "b-readme: unchanged",
        "lot: added",
    ]


def test_a_bad_file_stops_no_other_and_the_run_says_so(invoke: Invoke, home: Path, papers: Path) -> None:
    (papers / "a" / "picture.bin").write_bytes(b"\x00\x01\x02")
    run = invoke("ingest", str(papers), "missing.txt", "--jsonl", "--quiet")
    assert run.code == 7
    lines = run.out.splitlines()
    failed = [checked("failed", line) for line in lines if '"failed"' in line]
    added = [checked("ingest", line) for line in lines if '"failed"' not in line]
    assert {Path(record["source"]).name for record in failed} == {"picture.bin", "missing.txt"}
    assert (
        {record["document"] for record in added}
        == set(Library(home).names())
        == {"readme", "b-readme", "lot"}
    )
    assert run.err.splitlines()[-1] == "error: 2 of 5 files failed; the others are saved"
    assert len(run.err.splitlines()) == 3


@pytest.mark.parametrize(("option", "end"), [((), "\n"), (("-0",), "\0")])
def test_the_files_may_be_listed(
    invoke: Invoke,
    home: Path,
    papers: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: tuple[str, ...],
    end: str,
) -> None:
    listed = "".join(f"{papers / name}{end}" for name in ("a/readme.md", "b/lot.txt"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed.encode())))
    assert invoke("ingest", "--files-from", "-", *option, "--quiet").code == 0
    assert Library(home).names() == ("lot", "readme")
    (papers / "list").write_text(listed, encoding="utf-8")
    run = invoke("ingest", "--files-from", str(papers / "list"), *option)
    assert run.err.count("unchanged") == 2


def test_a_document_gets_its_name_and_its_tags(invoke: Invoke, papers: Path) -> None:
    invoke(
        "ingest",
        str(papers / "b" / "lot.txt"),
        "--name",
        "cargo",
        "--tag",
        "salt",
        "--tag",
        "2026",
        "--quiet",
    )
    assert checked("show", invoke("show", "cargo", "--json").out)["tags"] == ["2026", "salt"]
    invoke("ingest", str(papers), "--tag", "all", "--quiet")
    listed = checked("ls", invoke("ls", "--tag", "all", "--json").out)["documents"]
    assert [record["name"] for record in listed] == ["b-readme", "cargo", "readme"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--name", "cargo"), "--name and --json are for one document, got 3; use --jsonl for several"),
        (("--json",), "--name and --json are for one document"),
        (("--tag", "Two words"), "'Two words' cannot be a tag"),
        (("--files-from", "missing"), "cannot read missing"),
    ],
)
def test_what_fits_no_batch_is_refused(
    invoke: Invoke, home: Path, papers: Path, arguments: tuple[str, ...], message: str
) -> None:
    run = invoke("ingest", str(papers), *arguments)
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert message in run.err
    assert Library(home).names() == ()


def test_no_file_is_no_error(invoke: Invoke, tmp_path: Path) -> None:
    run = invoke("ingest", str(tmp_path), "--glob", "*.pdf")
    assert (run.code, run.out, run.err) == (0, "", "there is no such file\n")
