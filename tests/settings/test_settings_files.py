"""Settings files: which counts, and what is said about one that is wrong."""

from pathlib import Path

import pytest

from dmdoc.errors import UsageError
from dmdoc.settings.files import FileSetting, read_settings


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_first_file_that_sets_something_counts(tmp_path: Path) -> None:
    project = written(tmp_path / "project.toml", 'model = "near"\noffline = true\n')
    user = written(tmp_path / "user.toml", 'model = "far"\nmax_tokens = 9\ntemperature = 1\n')
    assert read_settings([project, tmp_path / "missing.toml", user]) == {
        "model": FileSetting("near", project),
        "offline": FileSetting(True, project),
        "max_tokens": FileSetting(9, user),
        "temperature": FileSetting(1, user),
    }


@pytest.mark.parametrize(("home", "expected"), [("docs", "{folder}/docs"), ("/docs", "/docs")])
def test_a_folder_is_relative_to_its_file(tmp_path: Path, home: str, expected: str) -> None:
    file = written(tmp_path / "project.toml", f'home = "{home}"\n')
    assert read_settings([file])["home"].value == expected.format(folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tempreture = 1", "sets tempreture, which is no setting; did you mean temperature?"),
        ('offline = "yes"', "offline must be true or false, got 'yes'"),
        ("max_tokens = true", "max_tokens must be a whole number, got True"),
        ("max_tokens = 1.5", "max_tokens must be a whole number, got 1.5"),
        ("home = 1", "home must be the path of a folder, got 1"),
        ("home", "is not TOML"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    file = written(tmp_path / "project.toml", text)
    with pytest.raises(UsageError) as raised:
        read_settings([file])
    assert str(file) in str(raised.value)
    assert message in str(raised.value)
