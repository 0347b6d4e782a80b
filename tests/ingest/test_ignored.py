"""Which files in a folder are read: what Git ignores is not, unless it is asked for."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from dmdoc.errors import UsageError
from dmdoc.ingest.ignored import _patterns, files_in

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


def test_no_symbolic_link_is_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside, rules = (tmp_path_factory.mktemp(name) for name in ("outside", "rules"))
    (outside / "secret.txt").write_text("secret", encoding="utf-8")
    (rules / ".gitignore").write_text("*", encoding="utf-8")
    (folder / "link.txt").symlink_to(outside / "secret.txt")
    (folder / "docs" / "linked").symlink_to(outside, target_is_directory=True)
    (folder / "build2").mkdir()
    (folder / "build2" / "x.txt").touch()
    (folder / "build2" / ".gitignore").symlink_to(rules / ".gitignore")
    assert names(folder) == sorted([*READ, "build2/x.txt"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_rules_in_a_pipe_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".gitignore")
    (tmp_path / "a.txt").touch()
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("rule", ["!", "\\", "a\\", "[z-a]", "[", "[[:alpha:]", "(", "\0", "\ud800", "/"])
def test_a_rule_that_is_none_ignores_nothing(rule: str, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text(f"{rule}\n*.log\n", encoding="utf-8", errors="surrogatepass")
    for name in ("a.txt", "b.log"):
        (tmp_path / name).touch()
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    "rule", ["*a" * 60 + "*b", "/" + "*a" * 60 + "*b", "[ab]" + "*?a" * 40 + "*b", "a" + "**a" * 40 + "*b"]
)
def test_a_rule_of_many_stars_takes_no_time(rule: str, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text(rule, encoding="utf-8")
    for name in ("a" * 200, "a" * 199 + "b"):
        (tmp_path / name).touch()
    started = time.process_time()
    assert names(tmp_path) == ["a" * 200]
    assert time.process_time() - started < 1


def test_a_bracket_in_a_name_is_no_rule(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("* (*) (*) (*)*", encoding="utf-8")
    for name in ("a (1) (2) (3).txt", "a (1).txt"):
        (tmp_path / name).touch()
    assert names(tmp_path) == ["a (1).txt"]


def test_rules_that_can_only_be_tried_out_are_refused_in_one_line(tmp_path: Path) -> None:
    for rules, message in (
        ("**/a/" * 5 + "b", "too many \\*\\*"),
        ("a\n" * 70_000, "more than 131,072 bytes"),
    ):
        (tmp_path / ".gitignore").write_text(rules, encoding="utf-8")
        with pytest.raises(UsageError, match=message) as caught:
            names(tmp_path)
        assert "\n" not in str(caught.value)
        assert names(tmp_path, ignored=True) == []


@given(
    rule=st.lists(
        st.sampled_from(["*", "a", "b", "/", "?", "**/", "/**/", "[ab]", "."]), min_size=1, max_size=9
    ),
    path=st.lists(st.sampled_from(["a", "b", "/", ".", "ab", "aa"]), min_size=1, max_size=9),
)
def test_stars_match_what_they_always_did(rule: list[str], path: list[str]) -> None:
    line, place = "".join(rule), "/".join(part for part in "".join(path).split("/") if part)
    if not place.strip("./"):
        return
    try:
        mended = GitIgnoreSpec(list(_patterns(line, Path("x"))), backend="simple")
    except UsageError:
        return
    try:
        plain = GitIgnoreSpec.from_lines([line], backend="simple")
    except ValueError:
        return
    assert mended.check_file(place).include == plain.check_file(place).include
