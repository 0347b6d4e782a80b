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
    assert "it sets model, adapter, device" in invoke("config", "trust").err
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
    answer = invoke("ask", "Salt?", "--recall", "state", "--json").out
    assert checked("ask", answer)["answer_tokens"] <= 3


def test_what_a_stranger_s_file_sets_counts_once_it_is_trusted(
    invoke: Invoke, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "nothing in this folder needs your trust" in invoke("config", "trust").err
    project = tmp_path / ".dmdoc.toml"
    project.write_text('model = "evil/model"\nhome = "/tmp"\nmax_tokens = 3\n', encoding="utf-8")
    for command in ("ls", "config"):
        run = invoke(command)
        assert run.err.startswith(
            f"warning: what {project} sets as model, home is ignored; run `dmdoc config trust`"
        )
    found = settings(invoke("config", "--json").out)
    assert found["model"] == (None, "default") and found["max_tokens"] == (3, str(project))
    assert invoke("config", "trust").code == 0
    run = invoke("config", "--json")
    assert run.err == "" and settings(run.out)["model"] == ("evil/model", str(project))
    project.write_text('model = "worse/model"\n', encoding="utf-8")
    assert settings(invoke("config", "--json").out)["model"] == (None, "default")


@pytest.mark.parametrize(
    "arguments",
    [("--seed", "9223372036854775808"), ("--seed", "-1"), ("--temperature", "inf"), ("--temperature", "nan")],
)
def test_numbers_that_no_draw_takes_are_one_line(arguments: tuple[str, str], invoke: Invoke) -> None:
    run = invoke("ask", "Salt?", *arguments)
    assert (run.code, run.err.count("\n")) == (2, 1)
    assert arguments[0].removeprefix("--") in run.err


@pytest.mark.parametrize("variable", ["DMDOC_HOME", "DMDOC_CACHE", "DMDOC_CONFIG"])
def test_nobody_s_folder_is_one_line(variable: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "~nobody-at-all/x")
    run = invoke("config")
    assert (run.code, run.err.count("\n")) == (2, 1)
    assert f"{variable} names '~nobody-at-all/x', and there is no such user" in run.err


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


@pytest.mark.slow
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
