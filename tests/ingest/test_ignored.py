"""Which files in a folder are read: what Git ignores is not, unless it is asked for."""

import shutil
import subprocess
from pathlib import Path

import pytest

from dmdoc.ingest.ignored import files_in

TREE = {
    ".gitignore": "*.log\nbuild/\n/only-here.txt\n!kept.log\n",
    "a.txt": "",
    "b.log": "",
    "kept.log": "",
    "only-here.txt": "",
    "build/out.txt": "",
    "docs/.gitignore": "draft-*\n!b.log\n",
    "docs/only-here.txt": "",
    "docs/draft-1.txt": "",
    "docs/b.log": "",
    "docs/c.log": "",
    ".hidden/x.txt": "",
    "node_modules/m/readme.md": "",
}
READ = ["a.txt", "docs/b.log", "docs/only-here.txt", "kept.log"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path


def names(folder: Path, *, of: Path | None = None, ignored: bool = False) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in files_in(of or folder, ignored=ignored)]


def test_what_git_ignores_is_not_read(folder: Path) -> None:
    assert names(folder) == READ


def test_all_but_hidden_files_are_read_when_asked_for(folder: Path) -> None:
    assert names(folder, ignored=True) == sorted(name for name in TREE if "/." not in f"/{name}")


def test_rules_of_the_work_tree_hold_below_it(folder: Path) -> None:
    assert "docs/c.log" in names(folder, of=folder / "docs")
    (folder / ".git").mkdir()
    assert names(folder, of=folder / "docs") == ["docs/b.log", "docs/only-here.txt"]


def test_a_folder_that_was_named_is_read_though_it_is_ignored(folder: Path) -> None:
    (folder / ".git").mkdir()
    assert names(folder, of=folder / "node_modules") == ["node_modules/m/readme.md"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_itself_says_the_same(folder: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    run = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "--exclude", "node_modules"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    listed = [name for name in run.stdout.splitlines() if "/." not in f"/{name}"]
    assert names(folder) == sorted(listed)
