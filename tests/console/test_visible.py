"""What comes from outside reaches a terminal as text: never as markup, colours, cursor movements or turned lines."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Invoke
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from dmdoc import console
from dmdoc.console.tables import print_table, values_table
from dmdoc.console.visible import printable, visible

CASES = Path(__file__).parents[1] / "cases"
DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
EVIL = "\x1b[31mred\x1b]0;title\x07 \u202eturned [bold]not bold[/bold] [/] :smile: \x9b2J"
SHOWN = "^[[31mred^[]0;title^G \\u202eturned [bold]not bold[/bold] [/] :smile: \\x9b2J"

anything = st.text(st.one_of(st.characters(exclude_categories=()), st.sampled_from("[]/\\:\x1b\n\t\r\u202e")))


@given(anything)
def test_nothing_that_a_terminal_would_obey_is_left(text: str) -> None:
    assert not DANGEROUS.search(visible(text))
    assert len(printable(text).splitlines()) <= 1
    if text.isprintable():
        assert visible(text) == printable(text) == text


@given(anything)
@pytest.mark.parametrize("show", [console.error, console.warn, console.note], ids=lambda show: show.__name__)
def test_a_message_is_no_markup(show: Callable[[str], None], text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written: list[str] = []
        patch.setattr(
            sys, "stderr", type("Stream", (), {"write": written.append, "flush": lambda self: None})()
        )
        show(text)
    shown = "".join(written)
    assert not DANGEROUS.search(shown)
    lines = visible(text) if show is console.note else printable(text)
    # rich ends its lines where the text has line ends, and blank space at an end of a line may go.
    assert "".join(lines.split()) in "".join(shown.split())


@given(anything)
@example("\U0001f3fb")
def test_a_cell_is_no_markup(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written: list[str] = []
        patch.setattr(
            sys, "stdout", type("Stream", (), {"write": written.append, "flush": lambda self: None})()
        )
        print_table([(text, "end")], ("", ""))
    shown = "".join(written)
    assert not DANGEROUS.search(shown)
    # What takes no room by itself, such as a lone shade of an emoji, rich may leave out.
    cell, whole = (
        "".join(mark for mark in each if cell_len(mark) and not mark.isspace())
        for each in (printable(text), shown)
    )
    assert whole.count(f"{cell}end") == 1


@pytest.mark.parametrize(
    "show",
    [console.error, console.warn, console.note, console.write_answer, lambda text: values_table({"a": text})],
)
def test_an_escape_sequence_is_shown(show: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    show(EVIL)
    captured = capsys.readouterr()
    assert SHOWN in captured.out + captured.err


def test_json_keeps_every_character(capsys: pytest.CaptureFixture[str]) -> None:
    console.write_json({"answer": EVIL})
    assert json.loads(capsys.readouterr().out) == {"answer": EVIL}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["report [final].txt", "a[/b]/x.txt", "[bold]x.txt", "x\x1b[2J.txt", "x\u202etxt.exe"]
)
def test_a_library_lists_what_it_was_given(name: str, tmp_path: Path, invoke: Invoke) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("Lot seven holds salt.", encoding="utf-8")
    assert invoke("ingest", str(file), "--name", "lots").code == 0
    for arguments in (("ls",), ("show",), ("config",)):
        run = invoke(*arguments)
        assert run.code == 0
        assert not DANGEROUS.search(run.out + run.err)
    assert printable(name) in invoke("ls").out and printable(name) in invoke("show").out
    assert json.loads(invoke("ls", "--json").out)["documents"][0]["source"] == str(file)
    assert invoke("ingest", f"{file}.gone").err.count(printable(file.name)) == 1


def test_a_question_in_brackets_loses_no_results(
    invoke: Invoke, lots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke("ingest", str(lots), "--quiet")
    questions = CASES / "q-brackets.jsonl"
    run = invoke(
        "compare", "--questions", str(questions), "--verbose", "--mode", "state", "--max-tokens", "2"
    )
    assert run.code == 0
    for line in questions.read_text(encoding="utf-8").splitlines():
        assert json.loads(line)["question"] in run.out


@pytest.mark.slow
def test_what_the_encoding_lacks_is_replaced(tmp_path: Path, invoke: Invoke) -> None:
    file = tmp_path / "größe-Ω.txt"
    file.write_text("Lot seven holds salt.", encoding="utf-8")
    invoke("ingest", str(file), "--name", "lots")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for arguments in (("ls",), ("show",), ("ls", "--json"), ("--help",), ("show", "größe-2")):
        run = subprocess.run(
            [sys.executable, "-m", "dmdoc", *arguments], capture_output=True, text=True, env=environment
        )
        assert "Traceback" not in run.stderr
        assert run.returncode == (2 if arguments[-1] == "größe-2" else 0)
        if "--json" in arguments:
            assert json.loads(run.stdout)["documents"][0]["source"] == str(file)


@pytest.mark.parametrize(
    ("width", "kept"), [(90, "name tags pages source"), (40, "name tags pages"), (14, "name tags")]
)
def test_a_narrow_terminal_goes_without_some_columns(
    width: int, kept: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # stands for a terminal
    monkeypatch.setenv("COLUMNS", str(width))
    headings = ("name", "tags", "pages", "source")
    print_table([("lease", "home", "12", "x" * 60)], headings, right=("pages",), spare=("source", "pages"))
    plain = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert [line.split() for line in plain.splitlines()] == [
        kept.split(),
        ["lease", "home", "12", "x" * 60][: kept.count(" ") + 1],
    ]
