"""What the tests of the command line share: a home of their own, a document, and a way to run a command."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import typer.main
from command_line import CONFIG, TEXT, Invoke, Run
from tiny import tiny_reader

from dmdoc import cli
from dmdoc.model import reader as reader_module
from dmdoc.model.reader import Reader

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # before the kernels are imported

pytest_plugins = ["serving"]  # a server on a port, with what it needs


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """A shell starts what it puts in the background with Ctrl-C ignored, and that is inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_the_disk() -> Iterator[None]:
    """fsync is slow, and matters when the power fails, which no test can bring about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def command() -> Callable[..., object]:
    """The command line, built once for all tests."""
    return typer.main.get_command(cli.app)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty library, and no setting from outside."""
    for name in [name for name in os.environ if name.startswith("DMDOC_")]:
        monkeypatch.delenv(name)
    for name in ("home", "cache", "config"):
        monkeypatch.setenv(f"DMDOC_{name.upper()}", str(tmp_path / name))
    return tmp_path / "home"


@pytest.fixture
def lots(tmp_path: Path) -> Path:
    path = tmp_path / "lots.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def reader() -> Reader:
    return tiny_reader(CONFIG)


@pytest.fixture
def invoke(
    home: Path,
    reader: Reader,
    command: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Invoke:
    """Run a command in this process with a tiny reader in place of a real one."""
    monkeypatch.setattr(cli, "app", command)
    monkeypatch.setattr(reader_module, "open_reader", lambda *_args, **_options: reader)

    def run(*arguments: str) -> Run:
        monkeypatch.setattr(sys, "argv", ["dmdoc", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        captured = capsys.readouterr()
        code = left.value.code
        return Run(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run
