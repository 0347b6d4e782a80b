"""Settings files: which counts, and what is said about one that is wrong."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmdoc.errors import UsageError
from dmdoc.settings.files import BELOW, HARMLESS, KINDS, FileSetting, read_project, read_settings
from dmdoc.settings.trust import Trust


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_sets_what_it_says_and_a_missing_one_nothing(tmp_path: Path) -> None:
    file = written(tmp_path / "user.toml", 'model = "far"\nmax_tokens = 9\ntemperature = 1\n')
    assert read_settings(tmp_path / "missing.toml") == {}
    assert read_settings(file) == {
        "model": FileSetting("far", file),
        "max_tokens": FileSetting(9, file),
        "temperature": FileSetting(1, file),
    }


@pytest.mark.parametrize(("home", "expected"), [("docs", "{folder}/docs"), ("/docs", "/docs")])
def test_a_folder_is_relative_to_its_file(tmp_path: Path, home: str, expected: str) -> None:
    file = written(tmp_path / "project.toml", f'home = "{home}"\n')
    assert read_settings(file)["home"].value == expected.format(folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tempreture = 1", "sets tempreture, which is not a setting; did you mean temperature?"),
        ('offline = "yes"', "offline must be true or false, got 'yes'"),
        ("max_tokens = true", "max_tokens must be a whole number, got True"),
        ("max_tokens = 1.5", "max_tokens must be a whole number, got 1.5"),
        ("home = 1", "home must be the path of a folder, got 1"),
        ("home", "is not TOML"),
        ("home = '\0'", "is not TOML"),
        ('home = "a\\u0000b"', "home must be the path of a folder, got"),
        ('model = "a\\u0000b"', "model must be a string, got"),
        ('home = "~nobody-at-all/x"', "home names '~nobody-at-all/x', and there is no such user"),
        ("x = " + "[" * 200_000, "is nested too deeply"),
        ("#" * (2**20 + 1), "has more than 1,048,576 bytes"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    file = written(tmp_path / "project.toml", text)
    with pytest.raises(UsageError) as raised:
        read_settings(file)
    assert str(file) in str(raised.value)
    assert message in str(raised.value)


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    return Trust(tmp_path / "config")


def project(tmp_path: Path, text: str) -> Path:
    (tmp_path / "project").mkdir(exist_ok=True)
    return written(tmp_path / "project" / ".dmdoc.toml", text)


@pytest.mark.parametrize(
    "text",
    [
        'home = "papers"',
        'home = "."',
        'prompt = "answer"',
        'prompt = "prompts/mine.md"',
        "max_tokens = 3\ntemperature = 1.0\ntop_p = 0.5\nseed = 1\nbudget = 64\nrefine = 4",
    ],
)
def test_a_project_file_may_set_what_is_harmless(text: str, tmp_path: Path, trust: Trust) -> None:
    found = read_project(project(tmp_path, text), trust)
    assert found.settings and not found.refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", '"evil/model"'),
        ("adapter", '"./adapter"'),
        ("device", '"cpu"'),
        ("offline", "false"),
        ("cache", '"cache"'),
        ("home", '"/tmp/elsewhere"'),
        ("home", '"../elsewhere"'),
        ("home", '"a/../../elsewhere"'),
        ("home", '"link/papers"'),
        ("home", '"~/papers"'),
        ("prompt", '"/etc/passwd"'),
        ("prompt", '"../other/secret.md"'),
        ("prompt", '"link/secret.md"'),
        ("prompt", '"~/secret.md"'),
    ],
)
def test_what_chooses_a_model_or_another_place_needs_trust(
    name: str, value: str, tmp_path: Path, trust: Trust
) -> None:
    file = project(tmp_path, f"{name} = {value}\nmax_tokens = 3\n")
    (file.parent / "link").symlink_to(tmp_path, target_is_directory=True)
    found = read_project(file, trust)
    assert found.refused == (name,) and found.settings.keys() == {"max_tokens"}
    trust.add(file, file.read_bytes())
    assert read_project(file, trust).settings.keys() == {name, "max_tokens"}
    file.write_text(file.read_text() + "\n")
    assert read_project(file, trust).refused == (name,)


def test_every_setting_is_known_as_harmless_or_not() -> None:
    assert KINDS.keys() > HARMLESS | BELOW
    assert KINDS.keys() - HARMLESS - BELOW == {"model", "adapter", "device", "offline", "cache"}


@pytest.mark.skipif(os.name == "nt", reason="files have no owner there")
def test_a_file_of_another_user_is_ignored_until_it_is_trusted(
    tmp_path: Path, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project(tmp_path, "max_tokens = 3\nthis is no TOML")
    monkeypatch.setattr(os, "getuid", lambda: os.stat(file).st_uid + 1)
    found = read_project(file, trust)
    assert (found.settings, found.foreign) == ({}, True)
    file.write_text("max_tokens = 3")
    trust.add(file, file.read_bytes())
    assert read_project(file, trust).settings.keys() == {"max_tokens"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders")
def test_a_pipe_is_not_waited_for(tmp_path: Path, trust: Trust) -> None:
    os.mkfifo(tmp_path / ".dmdoc.toml")
    with pytest.raises(UsageError, match="is not a file"):
        read_project(tmp_path / ".dmdoc.toml", trust)


@pytest.mark.parametrize("damage", ["", "[]", "{", "[" * 200_000])
def test_a_damaged_list_of_trusted_files_trusts_nothing(damage: str, tmp_path: Path, trust: Trust) -> None:
    file = project(tmp_path, 'model = "x"')
    trust.add(file, file.read_bytes())
    (tmp_path / "config" / "trusted.json").write_text(damage)
    with pytest.raises(UsageError, match="remove it and trust your files again"):
        read_project(file, trust)


@given(st.text(st.sampled_from("[]={}\"'\n.#,0123456789abcdehomxtkns_ \\u")), st.booleans())
def test_any_file_is_settings_or_one_line(text: str, own: bool) -> None:
    with TemporaryDirectory() as folder:
        file = written(Path(folder) / "x.toml", text)
        try:
            read_settings(file) if own else read_project(file, Trust(Path(folder)))
        except UsageError as error:
            assert "\n" not in str(error)
