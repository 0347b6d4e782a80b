"""What the tests of the command line share: a home of their own, a document, and a way to run a command.

What is slow to import (PyTorch, transformers) is imported by the fixtures: the process that hands out the tests to the
workers loads this file too, and they wait for it.
"""

import gc
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from hypothesis import settings

from dmdoc import cli, document
from dmdoc.document import Document, Limits, read_document

if TYPE_CHECKING:
    from command_line import Invoke, Once, Run

    from dmdoc.model.reader import Reader


def pytest_configure(config: pytest.Config) -> None:
    """Without a card the kernels run in Triton's interpreter, which Triton wants to know when it is imported.

    What is imported and collected stays: the garbage collector need not look through it again and again.
    """
    gc.disable()
    settings.register_profile("whole", deadline=None)  # a machine may be slow
    settings.register_profile("quick", deadline=None, max_examples=20)
    settings.load_profile("whole")
    hands_out = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if not hands_out:
        import torch

        if not torch.cuda.is_available():
            os.environ["TRITON_INTERPRET"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that take long come first, so that all processes end at about the same time."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # what nobody frees at the end is told as a leak by Triton


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """A shell starts what it puts in the background with Ctrl-C ignored, and that is inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whoever runs the tests keeps their settings, and their list of models, as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DMDOC_CONFIG", str(tmp_path_factory.mktemp("settings")))
        yield


@pytest.fixture(autouse=True, scope="session")
def no_waiting() -> Iterator[None]:
    """For the disk: fsync matters when the power fails, which no test can bring about. For a card that is not there:
    to seed it, PyTorch writes down at length where it was asked to, each time.
    """
    import torch

    with pytest.MonkeyPatch.context() as patch:
        if not torch.cuda.is_available():
            patch.setattr(torch.cuda, "manual_seed_all", lambda _: None)
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> "Once":
    """Let a function fill a folder, but only the first time: from then on what it made is copied."""
    made: dict[Callable[[Path], object], Path] = {}

    def fill(folder: Path, make: Callable[[Path], object]) -> None:
        if make not in made:
            first = tmp_path_factory.mktemp("once") / "made"
            make(first)
            made[make] = first
        shutil.copytree(made[make], folder)

    return fill


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
    from command_line import TEXT

    path = tmp_path / "lots.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def reader() -> "Reader":
    from command_line import CONFIG
    from tiny import tiny_reader

    return tiny_reader(CONFIG)


class ReaderHere:
    """Reads as IsolatedReader does, but in this process: to start another takes longer than most tests."""

    def __init__(self, limits: Limits, **settings: Any) -> None:
        self.read: Callable[..., Document] = partial(read_document, limits=limits, **settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def invoke(
    home: Path,
    reader: "Reader",
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> "Invoke":
    """Run a command in this process with a tiny reader in place of a real one."""
    from command_line import Run

    monkeypatch.setattr(document, "IsolatedReader", ReaderHere)
    monkeypatch.setattr("dmdoc.model.reader.open_reader", lambda *_args, **_options: reader)

    def run(*arguments: str) -> "Run":
        monkeypatch.setattr(sys, "argv", ["dmdoc", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        captured = capsys.readouterr()
        code = left.value.code
        return Run(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run
