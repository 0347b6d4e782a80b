"""No traceback, ever: what nobody foresaw is one line with a report, and Ctrl-C counts at any moment."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import Invoke

from dmdoc import __main__ as program
from dmdoc.cli import library as library_commands
from dmdoc.library.library import Library

SECRET = "Lot seven holds salt"


def fail(*_: object) -> None:
    try:
        raise ValueError(f"bad text: {SECRET}")
    except ValueError as error:
        raise RecursionError(SECRET) from error


def test_an_unforeseen_error_is_one_line_and_a_report_without_texts(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Library, "names", fail)
    monkeypatch.setattr(Library, "documents", fail)
    monkeypatch.setattr(library_commands, "open_library", fail)
    run = invoke("ls")
    assert (run.code, run.out, run.err.count("\n")) == (70, "", 1)
    report = tmp_path / "cache" / "error-report.txt"
    assert "unforeseen: RecursionError in `dmdoc ls`" in run.err and str(report) in run.err
    text = report.read_text(encoding="utf-8")
    assert "builtins.RecursionError" in text and "builtins.ValueError" in text and "in fail" in text
    assert "bad text: Lot" not in text and SECRET not in run.err
    if os.name != "nt":
        assert stat.S_IMODE(report.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "error", [MemoryError(), ImportError("libtorch_cpu.so: failed to map segment from shared object")]
)
def test_a_lack_of_memory_is_nothing_to_report(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def lack() -> None:
        raise error

    monkeypatch.setattr(library_commands, "open_library", lack)
    run = invoke("ls")
    assert (run.code, run.out, run.err.count("\n")) == (1, "", 1)
    assert "not enough memory" in run.err and "report" not in run.err


def test_debug_shows_where_an_error_came_from(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Traceback" in invoke("--debug", "show", "nothing").err
    monkeypatch.setattr(library_commands, "open_library", fail)
    run = invoke("--debug", "ls")
    assert run.code == 70
    assert "Traceback" in run.err and SECRET in run.err


def test_a_report_that_cannot_be_written_is_not_spoken_of(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DMDOC_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(library_commands, "open_library", fail)
    run = invoke("ls")
    assert (run.code, "report without" in run.err) == (70, False)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("nothing",), 2), (("ls", "--none\x1b[2J"), 2), (("ask", "--seed", "x\x1b[2J"), 2), (("--help",), 0)],
)
def test_what_is_no_command_is_told_as_before(arguments: tuple[str, ...], code: int, invoke: Invoke) -> None:
    run = invoke(*arguments)
    assert run.code == code
    assert ("Usage: dmdoc" in run.out + run.err) and "\x1b" not in run.out + run.err


def test_only_an_ingest_speaks_of_what_goes_on(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(library_commands, "open_library", interrupt)
    run = invoke("ls")
    assert (run.code, run.err) == (130, "interrupted\n")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", ["--help", "ask --help", "--version", "config", "ls --json"])
def test_a_full_disk_is_one_line_whatever_is_written(arguments: str, home: Path) -> None:
    line = f"{sys.executable} -m dmdoc {arguments} > /dev/full"
    run = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert "cannot write to standard output: No space left on device" in run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("milliseconds", [60, 120, 200, 300, 450])
def test_an_early_interrupt_is_one_line(milliseconds: int, home: Path) -> None:
    """From the moment on that Python runs the program, which the first line of its output tells here."""
    program_text = (
        "import sys; print('started', flush=True)\n"
        "from dmdoc.__main__ import main\n"
        "sys.argv = ['dmdoc', 'ls']\n"
        "main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program_text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None and process.stdout.readline() == "started\n"
    time.sleep(milliseconds / 1000)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert "Traceback" not in errors
    assert process.returncode in (0, 130, -signal.SIGINT)


class Destroyed:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_inside_a_destructor_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", program._unraisable)
    with pytest.raises(KeyboardInterrupt):
        Destroyed()
        for _ in range(500):
            time.sleep(0.01)


def test_a_file_that_looks_like_an_option_is_pointed_at(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "./-x.txt" not in invoke("ingest", "-x.txt").err
    (tmp_path / "-x.txt").write_text("Salt.")
    run = invoke("ingest", "-x.txt")
    assert (run.code, run.err.splitlines()[-1]) == (2, "for the file -x.txt write ./-x.txt")


def test_an_exported_document_is_imported_and_not_read(invoke: Invoke, lots: Path, tmp_path: Path) -> None:
    invoke("ingest", str(lots), "--quiet")
    invoke("export", "lots", "-o", str(tmp_path / "lots.dmdoc"))
    run = invoke("ingest", str(tmp_path / "lots.dmdoc"))
    assert run.code == 5 and "is a saved document that was exported; import it instead" in run.err


def test_compare_takes_the_seed_of_the_environment(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    options = (
        "--documents",
        "1",
        "--facts",
        "1",
        "--mode",
        "state",
        "--max-tokens",
        "1",
        "--json",
        "--quiet",
    )
    monkeypatch.setenv("DMDOC_SEED", "7")
    assert json.loads(invoke("compare", *options).out)["seed"] == 7
    assert invoke("compare", *options, "--seed", str(2**63)).code == 2
