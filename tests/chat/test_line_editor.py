"""The line editor through a pipe of key presses, and sessions on it as a terminal would run them."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from canned import canned_reader
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from dmdoc.chat.line_editor import LineEditor
from dmdoc.chat.repl import Repl, run_terminal
from dmdoc.chat.session import ChatSession
from dmdoc.errors import DmdocError
from dmdoc.library.library import Library
from dmdoc.settings.generation import GenerationSettings

CTRL_C, CTRL_D, ALT_ENTER, UP, TAB = "\x03", "\x04", "\x1b\r", "\x1b[A", "\t"


def no_completions(text: str) -> tuple[str, ...]:
    return ()


@contextmanager
def editor(history: Path, keys: str, *, completions: tuple[str, ...] = ()) -> Iterator[LineEditor]:
    def complete(text: str) -> tuple[str, ...]:
        return tuple(line for line in completions if line.startswith(text))

    with create_pipe_input() as pipe:
        pipe.send_text(keys)
        yield LineEditor(history, complete, terminal_input=pipe, terminal_output=DummyOutput())


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("Who?\r", "Who?"),
        (f"Who?{ALT_ENTER}When?\r", "Who?\nWhen?"),
        ("Who?\\\rWhen?\r", "Who?\nWhen?"),
        ("a\\b\r", "a\\b"),
        ("\r", ""),
        ("Whoo\x7f?\r", "Who?"),
        ("ho?\x01W\r", "Who?"),
        (f"/sta{TAB}\r", "/stats"),
        (f"/use n{TAB}\r", "/use notes"),
    ],
    ids=repr,
)
def test_keys(keys: str, line: str, tmp_path: Path) -> None:
    with editor(tmp_path / "history", keys, completions=("/stats", "/use notes")) as lines:
        assert lines.read("> ") == line


def test_ctrl_c_drops_the_line_and_ctrl_d_leaves(tmp_path: Path) -> None:
    with editor(tmp_path / "history", f"Wh{CTRL_C}Who?\r{CTRL_D}") as lines:
        with pytest.raises(KeyboardInterrupt):
            lines.read("> ")
        assert lines.read("> ") == "Who?"
        with pytest.raises(EOFError):
            lines.read("> ")


def test_a_path_is_completed(tmp_path: Path) -> None:
    (tmp_path / "halvorsen.txt").touch()
    with editor(tmp_path / "history", f"/ingest {tmp_path}/hal{TAB}\r") as lines:
        assert lines.read("> ") == f"/ingest {tmp_path}/halvorsen.txt"


def test_history_is_kept_for_the_next_session_and_is_private(tmp_path: Path) -> None:
    history = tmp_path / "data" / "history"
    with editor(history, f"Who?{ALT_ENTER}When?\r") as lines:
        lines.read("> ")
    with editor(history, f"{UP}\r") as lines:
        assert lines.read("> ") == "Who?\nWhen?"
    assert history.stat().st_mode & 0o777 == 0o600
    assert history.parent.stat().st_mode & 0o777 == 0o700


def test_a_history_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DmdocError, match="cannot keep the history in"):
        LineEditor(tmp_path / "file" / "history", no_completions)


def test_a_session_from_keys_to_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C at the prompt, Ctrl-C in an answer, an error, an answer, Ctrl-D."""
    session = ChatSession(
        canned_reader({"Long?": "The ferry left.", "Who?": "Ada."}),
        None,
        remember=True,
        settings=GenerationSettings(),
    )
    said: list[str] = []

    def hear(text: str) -> None:
        said.append(text)
        if "".join(said).endswith("ferry"):
            os.kill(os.getpid(), signal.SIGINT)  # what a terminal sends for Ctrl-C

    lines = Repl(session, Library(tmp_path), on_text=hear)
    with editor(tmp_path / "history", f"Lon{CTRL_C}Long?\r/nope\rWho?\r{CTRL_D}") as keys:
        run_terminal(lines, keys.read)
    assert "".join(said) == "The ferry\nAda.\n"
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "nothing is read yet: /ingest FILE reads a document, /help lists the commands",
        "interrupted; this turn is not remembered",
        "error: there is no command /nope; /help lists them",
    ]
    assert session.stats().turns == 1
