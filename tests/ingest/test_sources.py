"""Which files are read, and what they are called."""

import os
from pathlib import Path

import pytest

from dmdoc.document import Document
from dmdoc.errors import UsageError
from dmdoc.ingest.sources import Names, expand, listed_files
from dmdoc.library.library import Library


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.md", "a.txt", "deep/c.md", ".hidden/d.md", ".e.md"):
        path = tmp_path / "papers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Salt.", encoding="utf-8")
    return tmp_path / "papers"


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([], ["a.txt", "b.md", "deep/c.md"]),
        (["*.md"], ["b.md", "deep/c.md"]),
        (["*.txt", "deep/*.md"], ["a.txt", "deep/c.md"]),
        (["*.pdf"], []),
    ],
)
def test_a_folder_stands_for_the_files_in_it(folder: Path, patterns: list[str], expected: list[str]) -> None:
    assert expand([str(folder)], patterns) == [str(folder / name) for name in expected]


def test_each_file_is_read_once_and_in_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert expand(["b.md", "-", ".", "missing.txt", str(folder / "b.md")], ["*.txt"]) == [
        "b.md",
        "-",
        "a.txt",
        "missing.txt",
    ]


def test_lists_are_of_lines_or_of_what_find_prints() -> None:
    assert listed_files(b"a.txt\nwith space.md\r\n\n", null=False) == ["a.txt", "with space.md"]
    assert listed_files(b"a.txt\0with\nline.md\0", null=True) == ["a.txt", "with\nline.md"]
    assert [os.fsencode(path) for path in listed_files(b"\xff.txt\n", null=False)] == [b"\xff.txt"]
    with pytest.raises(UsageError, match="pass -0"):
        listed_files(b"a.txt\0b.md\0", null=False)


def document(source: str) -> Document:
    return Document(Path(source).stem, source, ("Salt.",))


def test_files_of_the_same_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    names = Names(Library(tmp_path))
    sources = ["/x/a/readme.md", "/x/b/readme.md", "/y/b/readme.md", "/x/a/readme.md"]
    found = [names.named(document(source)).name for source in sources]
    assert found == ["readme", "b-readme", "y-b-readme", "readme"]


def test_a_file_that_no_folder_tells_apart_gets_a_hash(tmp_path: Path) -> None:
    names = Names(Library(tmp_path))
    first, second, third = (
        names.named(document(f"/readme.{suffix}")).name for suffix in ("md", "txt", "rst")
    )
    assert (first, second[:7], third[:7]) == ("readme", "readme-", "readme-")
    assert second != third


def test_a_document_keeps_the_name_that_it_has(tmp_path: Path) -> None:
    library = Library(tmp_path)
    taken = document("/papers/report.txt")
    with library.lock("cargo"):
        staged = library.begin(Document("cargo", "/papers/report.txt", taken.pages))
        staged.folder.rename(staged.folder.with_name("cargo"))
    names = Names(library)
    assert names.named(taken).name == "cargo"
    assert names.named(document("/papers/cargo.txt")).name == "papers-cargo"
    assert names.named(Document("stdin-1", "-", taken.pages)).name == "stdin-1"


def test_two_runs_at_once_give_no_name_twice(tmp_path: Path) -> None:
    one, two = Names(Library(tmp_path)), Names(Library(tmp_path))
    assert one.named(document("/papers/a/readme.md")).name == "readme"
    assert two.named(document("/papers/b/readme.md")).name == "b-readme"
    assert two.named(document("/papers/a/readme.md")).name == "readme"


def test_an_interrupted_ingest_has_a_name_too(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.begin(document("/papers/a/readme.md"))
    names = Names(library)
    assert names.named(document("/papers/b/readme.md")).name == "b-readme"
    assert names.named(document("/papers/a/readme.md")).name == "readme"


def test_what_a_killed_ingest_left_damaged_takes_no_name(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.begin(document("/papers/readme.md")).folder.joinpath("document.json").write_text("{")
    assert Names(library).named(document("/papers/readme.md")).name == "readme"
