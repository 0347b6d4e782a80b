"""The campaign of hostile files: a few of its cases, and that it would notice a fault."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fuzz
import pytest
from fuzz import Target, case, targets
from fuzz_commands import Commands

from dmdoc.errors import DmdocError
from dmdoc.library.library import Library


@pytest.mark.slow
def test_a_few_hostile_files(tmp_path: Path) -> None:
    known = targets(tmp_path)
    failures = [case(number, 1, known, tmp_path) for number in range(60)]
    assert len({name for name, _ in failures}) > 5
    assert [found for found in failures if found[1] is not None] == []


def test_a_fault_is_noticed_and_a_case_comes_again(tmp_path: Path) -> None:
    def fail(_: Path) -> None:
        raise KeyError("x")

    def ramble(_: Path) -> None:
        raise DmdocError("one\ntwo")

    seen: list[bytes] = []
    for _ in range(2):
        name, failure = case(7, 3, {"a": Target(".txt", (b"some text",), fail)}, tmp_path)
        assert name == "a" and failure is not None and "KeyError" in failure
        seen.append((tmp_path / "case.txt").read_bytes())
    assert seen[0] == seen[1] != b"some text"
    assert "more than one line" in str(case(0, 0, {"b": Target(".txt", (b"x",), ramble)}, tmp_path)[1])


def busy() -> None:
    while True:
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "act", "failure"),
    [
        ("SECONDS", busy, "ended with SIGXCPU"),
        ("WAITED", lambda: time.sleep(60), "ended with SIGALRM"),
        ("MEMORY", lambda: None, "took "),
        ("SECONDS", lambda: os.kill(os.getpid(), signal.SIGKILL), "ended with SIGKILL"),
        ("SECONDS", lambda: sys.exit(3), "SystemExit: 3"),
        ("SECONDS", lambda: None, "None"),
    ],
)
def test_what_takes_too_much_is_noticed(
    limit: str, act: Callable[[], object], failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz, limit, 1)
    assert failure in str(fuzz.tried(act))


@pytest.mark.slow
def test_a_command_that_loses_a_document_or_is_not_foreseen_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands, draw = Commands(tmp_path), random.Random(0)
    assert fuzz.tried(lambda: commands.run(draw, "ls")) is None
    assert "lost a document" in str(fuzz.tried(lambda: commands.run(draw, "rm", "salt")))
    monkeypatch.setattr(Library, "survey", lambda _: 1 / 0)
    assert "ended with 70" in str(fuzz.tried(lambda: commands.run(draw, "ls")))
