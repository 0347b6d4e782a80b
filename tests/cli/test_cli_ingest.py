"""`ingest` of many files, as people and scripts meet it."""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from command_line import CONFIG, Invoke, checked, start
from tiny import save_tiny_reader, tiny_reader

from dmdoc.errors import UsageError
from dmdoc.ingest.share import WriterSettings
from dmdoc.library.library import Library


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
    assert sorted(line.split(",")[0] for line in again.err.splitlines()) == [
        "b-readme: unchanged",
        "lot: added",
        "readme: unchanged",
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
        (("--files-from", "-", "-"), "either the list of files or a document"),
        (("--budget", "65"), "more than the 64 that tiny-adapter was trained with"),
        (("--refine", "-1"), "refinement takes 0 or more steps, got -1"),
    ],
)
def test_what_fits_no_batch_is_refused(
    invoke: Invoke, home: Path, papers: Path, arguments: tuple[str, ...], message: str
) -> None:
    run = invoke("ingest", str(papers), *arguments)
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert message in run.err
    assert Library(home).names() == ()


@pytest.mark.parametrize("option", [(), ("--jsonl",)])
def test_a_folder_of_one_bad_file_is_a_batch_too(
    invoke: Invoke, papers: Path, option: tuple[str, ...]
) -> None:
    """A script that reads a folder every night need not know how many files are in it."""
    (papers / "c").mkdir()
    (papers / "c" / "empty.txt").touch()
    run = invoke("ingest", str(papers / "c"), *option)
    assert (run.code, len(run.out.splitlines())) == (7, len(option))
    assert run.err.splitlines()[-1] == "error: 1 of 1 files failed; none is saved"
    assert invoke("ingest", str(papers / "c" / "empty.txt")).code == 5
    run = invoke("ingest", str(papers / "c" / "empty.txt"), "--jsonl", "--quiet")
    assert (run.code, checked("failed", run.out)["source"]) == (7, str(papers / "c" / "empty.txt"))


@pytest.mark.skipif(sys.platform == "darwin", reason="file names are Unicode there")
def test_a_file_may_be_called_what_is_not_unicode_and_what_is_no_line(
    invoke: Invoke, home: Path, papers: Path, tmp_path: Path
) -> None:
    names = (os.fsdecode(b"caf\xe9.txt"), "two\nlines.txt")
    for name in names:
        (papers / name).write_text(f"The file {name!r} holds salt.", encoding="utf-8")
    (papers / os.fsdecode(b"\xff.txt")).touch()
    listed = b"".join(os.fsencode(path) + b"\0" for path in papers.glob("*.txt"))
    (tmp_path / "list").write_bytes(listed)
    run = invoke("ingest", "--files-from", str(tmp_path / "list"), "-0", "--jsonl")
    assert (run.code, run.err.splitlines()[-1]) == (7, "error: 1 of 3 files failed; the others are saved")
    sources = {checked("ls", invoke("ls", "--json").out)["documents"][n]["source"] for n in range(2)}
    assert sources == {str(papers / name) for name in names}
    assert [line.split()[0] for line in invoke("ls").out.splitlines()] == ["name", "caf", "two-lines"]
    assert "two\\nlines.txt" in invoke("show", "two-lines").out
    assert invoke("export", "caf", "--output", str(tmp_path)).code == 0
    assert invoke("rm", "caf").code == 0
    imported = checked("document", invoke("import", str(tmp_path / "caf.dmdoc"), "--json").out)
    assert imported["source"] == names[0]


def test_a_path_that_is_too_long_is_one_line(invoke: Invoke, home: Path) -> None:
    run = invoke("ingest", "x" * 5000)
    assert (run.code, run.out, run.err.count("\n")) == (5, "", 1)


@pytest.mark.campaign
def test_eight_processes_on_one_home_lose_nothing(papers: Path, tmp_path: Path) -> None:
    """Six read one folder and a file of their own, all of the same name; two ask what is there already."""
    models, home = save_tiny_reader(tiny_reader(CONFIG), tmp_path), tmp_path / "library"
    first = start("ingest", str(papers / "a"), home=home, models=models)
    _, err = first.communicate()
    assert first.returncode == 0, err
    for number in range(6):
        (papers / f"{number}.txt").write_text(f"Lot {number} holds salt.", encoding="utf-8")
        (tmp_path / f"desk-{number}").mkdir()
        (tmp_path / f"desk-{number}" / "report.txt").write_text(f"Desk {number}.", encoding="utf-8")
    folders = [
        ("ingest", str(tmp_path / f"desk-{number}"), str(papers), "--tag", f"run-{number}", "--force")
        for number in range(6)
    ]
    asks = [("ask", "Salt?", "-d", "readme", "--max-tokens", "2") for _ in range(2)]
    processes = [start(*command, home=home, models=models) for command in (*folders, *asks)]
    for process in processes:
        _, err = process.communicate()
        assert process.returncode == 0, err
    library = Library(home)
    found = {saved.source: saved for saved in library.documents()}
    assert len(library.names()) == len(found) == 15
    for path in papers.rglob("*.*"):
        assert found[str(path)].tags == tuple(f"run-{number}" for number in range(6))
    for number in range(6):
        saved = found[str(tmp_path / f"desk-{number}" / "report.txt")]
        assert (saved.pages(), saved.tags) == ((f"Desk {number}.",), (f"run-{number}",))
    for saved in found.values():
        assert saved.state()[0].batch == len(saved.header().sections)


@pytest.mark.campaign
@pytest.mark.skipif(os.name == "nt", reason="no limit on open files")
def test_a_folder_of_1300_files_needs_no_more_than_1024_open_ones(tmp_path: Path) -> None:
    import resource

    (tmp_path / "notes").mkdir()
    for number in range(1300):
        (tmp_path / "notes" / f"{number}.txt").write_text(f"Lot {number} holds salt.", encoding="utf-8")
    models, home = save_tiny_reader(tiny_reader(CONFIG), tmp_path), tmp_path / "library"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        process = start("ingest", str(tmp_path / "notes"), "--quiet", home=home, models=models)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (process.communicate(), process.returncode) == (("", ""), 0)
    assert len(Library(home).documents()) == 1300


def test_no_file_is_no_error(invoke: Invoke, tmp_path: Path) -> None:
    run = invoke("ingest", str(tmp_path), "--glob", "*.pdf")
    assert (run.code, run.out, run.err) == (0, "", "there is no file to read in what was given\n")


@pytest.mark.slow
def test_how_much_is_written_at_once_is_said_if_asked_or_if_it_is_little(
    invoke: Invoke, papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "one batch of up to"
    assert said in invoke("ingest", str(papers), "--verbose").err
    assert said not in invoke("ingest", str(papers), "--force").err
    monkeypatch.setattr("dmdoc.ingest.room.free_bytes", lambda device: 10)
    assert said in invoke("ingest", str(papers), "--force").err
    assert said not in invoke("ingest", str(papers), "--force", "--quiet").err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_all_cards_of_a_machine_without_one_is_one_line(invoke: Invoke, lots: Path) -> None:
    run = invoke("ingest", str(lots), "--device", "cuda:all")
    assert (run.code, run.err) == (
        2,
        "error: no CUDA card was found for --device cuda:all; use --device cpu\n",
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_share_the_cores(
    workers: int, invoke: Invoke, lots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what the processes then do tests/ingest/test_share.py tells."""
    started: list[WriterSettings] = []

    def stop(settings: Sequence[WriterSettings]) -> None:
        started.extend(settings)
        raise UsageError("enough is known")

    monkeypatch.setattr("dmdoc.ingest.share.in_processes", stop)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    run = invoke("ingest", str(lots), "--workers", str(workers), "--budget", "48", "--device", "cpu")
    assert run.code == 2, run.err
    assert [(each.threads, each.device, each.budget) for each in started] == [
        (6 // workers, "cpu", 48)
    ] * workers
