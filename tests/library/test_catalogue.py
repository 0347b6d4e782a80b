"""The index that `ls` reads follows the folders, whatever happens to either."""

import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from test_library import header_of, state_of

from dmdoc.document import Document, WebStamp
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument, read_saved_document
from dmdoc.library.shelf import Damaged


@pytest.fixture
def library(tmp_path: Path) -> Library:
    library = Library(tmp_path / "library")
    save(library, "lease", "The rent is 420 crowns.")
    save(library, "ferry", "The ferry takes forty minutes.")
    return library


def save(library: Library, name: str, text: str) -> None:
    saved = Document(name, f"/papers/{name}.txt", (text,), file=WebStamp("1", ""))
    with library.lock(name):
        library.finish(library.begin(saved), state_of(saved), header_of(saved), tags=["papers"])


def as_the_folders_say(library: Library) -> tuple[SavedDocument | Damaged, ...]:
    """What there is, read from the folders alone."""
    copied = library.root.parent / "copied"
    shutil.copytree(library.root, copied, ignore=shutil.ignore_patterns("*.sqlite*"))
    (copied / "catalogue.sqlite").mkdir()  # no index can be written
    return Library(copied).survey()


def in_step(library: Library) -> bool:
    found = Library(library.root).survey()
    there = as_the_folders_say(library)
    shutil.rmtree(library.root.parent / "copied")
    for each, true in zip(found, there, strict=True):
        assert (each.name, each.tags) == (true.name, true.tags)
        if isinstance(each, SavedDocument):
            assert isinstance(true, SavedDocument)
            assert (each.sha256, each.source, each.file) == (true.sha256, true.source, true.file)
            assert each.summary() == true.summary() == replace(each, known_summary=None).summary()
    return True


def no_reading(monkeypatch: pytest.MonkeyPatch, *, but: tuple[str, ...] = ()) -> None:
    """Let no document be opened but these."""

    def reading(name: str, folder: Path) -> SavedDocument:
        assert name in but, f"{name} was read"
        return read_saved_document(name, folder)

    monkeypatch.setattr("dmdoc.library.shelf.read_saved_document", reading)


def test_a_listing_opens_no_document(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    before = as_the_folders_say(library)
    no_reading(monkeypatch)
    found = Library(library.root).survey()
    assert [each.name for each in found] == [each.name for each in before] == ["ferry", "lease"]
    assert all(isinstance(each, SavedDocument) and each.summary().tokens > 0 for each in found)


def test_whatever_dmdoc_does_is_followed(library: Library) -> None:
    library.tag("lease", add=["rent"])
    assert in_step(library)
    library.rename("ferry", "ship")
    assert in_step(library)
    save(library, "lease", "The rent is 430 crowns.")
    assert in_step(library)
    library.set_source("ship", "/papers/ship.txt")
    assert in_step(library)
    library.remove("lease")
    assert [each.name for each in library.survey()] == ["ship"]
    assert in_step(library)


def test_whatever_is_done_behind_its_back_is_followed(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = library.root / "documents"
    shutil.copytree(folders / "lease", folders / "copy")
    assert in_step(library)
    (folders / "lease").rename(folders / "contract")
    assert in_step(library)
    for old, new in (("copy", "other"), ("ferry", "copy"), ("other", "ferry")):
        (folders / old).rename(folders / new)
    assert in_step(library)
    shutil.rmtree(folders / "contract")
    assert [each.name for each in library.survey()] == ["copy", "ferry"]
    no_reading(monkeypatch)
    assert len(library.survey()) == 2


@pytest.mark.parametrize("file", ["document.json", "state.safetensors"])
@pytest.mark.parametrize("keep_time", [False, True])
def test_a_file_that_is_edited_is_read_again(library: Library, file: str, keep_time: bool) -> None:
    path = library.root / "documents" / "lease" / file
    assert all(isinstance(each, SavedDocument) for each in library.survey())
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 3 if file == "document.json" else 40] ^= 1
    path.write_bytes(content)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (damaged,) = [each for each in Library(library.root).survey() if isinstance(each, Damaged)]
    assert damaged.name == "lease"
    assert in_step(library)


@pytest.mark.parametrize("content", [None, b"", b"not a database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_missing_or_damaged_index_is_made_anew(library: Library, content: bytes | None) -> None:
    file = library.root / "catalogue.sqlite"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert in_step(library)
    assert in_step(library)


def test_every_damaged_half_of_an_index_is_survived(library: Library) -> None:
    file = library.root / "catalogue.sqlite"
    whole = file.read_bytes()
    true = library.survey()
    for cut in range(0, len(whole), 512):
        file.write_bytes(whole[:cut] + bytes(len(whole) - cut))
        assert Library(library.root).survey() == true, cut


def test_it_is_private_and_nothing_of_a_removed_document_stays_in_it(library: Library) -> None:
    file = library.root / "catalogue.sqlite"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"/papers/lease.txt" in file.read_bytes()
    library.remove("lease")
    assert b"/papers/lease.txt" not in b"".join(
        path.read_bytes() for path in library.root.glob("catalogue.sqlite*")
    )


def test_a_library_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    assert Library(tmp_path / "none").survey() == ()
    assert not (tmp_path / "none").exists()
