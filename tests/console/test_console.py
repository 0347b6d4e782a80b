"""Standard output and standard error as a shell has them: colours, closed pipes, full disks, Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Invoke, Run

from dmdoc.library.library import Library


@pytest.fixture(autouse=True)
def saved(invoke: Invoke, lots: Path) -> None:
    invoke("ingest", str(lots), "--quiet")


def shell(line: str, *arguments: str) -> Run:
    """A line of shell in which "$@" is the command."""
    run = subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, "-m", "dmdoc", *arguments], capture_output=True, text=True
    )
    return Run(run.returncode, run.stdout, run.stderr)


def test_colours_are_for_terminals_and_no_color_turns_them_off(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    red = "\x1b[1;31m"
    assert "\x1b" not in invoke("show", "nothing").err
    monkeypatch.setenv("FORCE_COLOR", "1")  # stands for a terminal
    monkeypatch.setenv("TERM", "xterm-256color")
    assert red in invoke("show", "nothing").err
    monkeypatch.setenv("NO_COLOR", "1")
    assert "31m" not in invoke("show", "nothing").err


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("ls",), ("ls", "--json"), ("show",), ("config",), ("extract", "BIG")])
def test_a_closed_pipe_is_quiet(arguments: tuple[str, ...], tmp_path: Path) -> None:
    big = tmp_path / "big.txt"
    big.write_text("A line that fills a pipe. " * 10_000, encoding="utf-8")
    command = [sys.executable, "-m", "dmdoc", *(str(big) if each == "BIG" else each for each in arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()  # before there is anything to read: `| head -0`
    process.stdout = None
    assert (process.communicate()[1], process.returncode) == ("", 1)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", [("ls",), ("ls", "--json")])
def test_a_full_disk_is_one_line(arguments: tuple[str, ...]) -> None:
    run = shell('"$@" > /dev/full', *arguments)
    assert (run.code, run.out, run.err.count("\n")) == (1, "", 1)
    assert "cannot write to standard output: No space left on device" in run.err


@pytest.mark.slow
def test_closed_streams_are_empty_ones() -> None:
    assert shell('"$@" >&-', "ls", "--json") == Run(0, "", "")
    assert shell('"$@" 2>&-', "show", "nothing") == Run(3, "", "")
    assert shell('"$@" <&-', "extract", "-").code == 5


def test_an_interrupted_command_is_exit_code_130(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Library, "finish", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
    run = invoke("ingest", __file__, "--quiet")
    assert (run.code, run.out) == (130, "")
    assert run.err == "interrupted; what is saved stays saved, and the same command goes on where it was\n"
