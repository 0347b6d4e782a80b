"""Where settings come from, and the completion of document names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Invoke, checked

from dmdoc.settings.files import KINDS


def settings(run_out: str) -> dict[str, tuple[object, str]]:
    found = checked("config", run_out)["settings"]
    return {name: (entry["value"], entry["source"]) for name, entry in found.items()}


def test_an_option_goes_before_a_variable_before_the_project_before_the_user(
    invoke: Invoke, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    user = tmp_path / "config" / "config.toml"
    user.parent.mkdir()
    user.write_text('model = "u"\nadapter = "u"\ndevice = "u"\nprompt = "u"\n', encoding="utf-8")
    project = tmp_path / ".dmdoc.toml"
    project.write_text('model = "p"\nadapter = "p"\ndevice = "p"\n', encoding="utf-8")
    monkeypatch.setenv("DMDOC_MODEL", "v")
    monkeypatch.setenv("DMDOC_ADAPTER", "v")
    found = settings(invoke("config", "--model", "o", "--json").out)
    assert found.keys() == KINDS.keys()
    assert found["model"] == ("o", "option")
    assert found["adapter"] == ("v", "DMDOC_ADAPTER")
    assert found["device"] == ("p", str(project))
    assert found["prompt"] == ("u", str(user))
    assert found["seed"] == (0, "default")
    assert found["home"] == (str(home), "DMDOC_HOME")


def test_a_project_may_have_a_library_of_its_own(
    invoke: Invoke, lots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DMDOC_HOME")
    (tmp_path / ".dmdoc.toml").write_text('home = "papers"\nmax_tokens = 3\n', encoding="utf-8")
    invoke("ingest", str(lots), "--quiet")
    assert (tmp_path / "papers" / "documents" / "lots").is_dir()
    assert checked("ask", invoke("ask", "Salt?", "--json").out)["answer_tokens"] <= 3


def test_the_table_names_every_setting(invoke: Invoke) -> None:
    run = invoke("config")
    assert (run.code, run.err) == (0, "")
    assert [line.split()[0] for line in run.out.splitlines()[1:]] == list(KINDS)


def test_a_wrong_settings_file_is_one_line(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dmdoc.toml").write_text("modle = 1\n", encoding="utf-8")
    run = invoke("ls")
    assert (run.code, run.out, run.err.count("\n")) == (2, "", 1)
    assert "did you mean model?" in run.err


def test_the_shell_completes_document_names_without_torch(invoke: Invoke, lots: Path) -> None:
    invoke("ingest", str(lots), "--quiet")
    program = (
        "import sys; from dmdoc.cli import app\n"
        "try: app(prog_name='dmdoc')\n"
        "except SystemExit: print('torch' in sys.modules, file=sys.stderr)"
    )
    for words in ("dmdoc ask -d l", "dmdoc chat l", "dmdoc rm l"):
        shell = {"_DMDOC_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        run = subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, **shell}, capture_output=True, text=True
        )
        assert (run.stdout.split(), run.stderr.strip()) == (["lots"], "False"), words
