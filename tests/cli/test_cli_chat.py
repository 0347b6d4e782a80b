"""`chat` as a command, fed by a pipe; the session itself is tested in tests/chat."""

import io
import sys
from pathlib import Path

import pytest
from command_line import Invoke

from dmdoc.errors import DocumentNotFoundError


def test_lines_of_a_pipe_are_answered(invoke: Invoke, lots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert invoke("ingest", str(lots), "--quiet").code == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"What does lot seven hold?\n/stats\n")))
    run = invoke("chat", "lots", "--max-tokens", "3")
    assert run.code == 0, run.err
    assert run.out == "salt\n"
    assert "page 1 (word for word): Lot seven holds «salt»." in run.err
    assert "1 remembered" in run.err, "the second line is a command"


def test_a_document_that_is_not_there_is_one_line(invoke: Invoke) -> None:
    run = invoke("chat", "nobody")
    assert (run.code, run.err.count("\n")) == (DocumentNotFoundError.exit_code, 1)
    assert "nobody" in run.err
