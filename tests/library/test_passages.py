"""The index of passages follows the folders, whatever happens to either."""

import multiprocessing
import os
import shutil
import stat
import time
from pathlib import Path

import pytest
from command_line import Once
from test_library import document, header_of, ingest, state_of

from dmdoc.document import Document
from dmdoc.library.library import Library

LEASE = "The rent is 420 crowns a month.\n\nThe tenant pays it on the third day."
FERRY = "The ferry to Ostrand takes forty minutes. A ticket is six crowns."


@pytest.fixture
def library(tmp_path: Path, once: Once) -> Library:
    once(tmp_path / "library", save_two)
    return Library(tmp_path / "library")


def save_two(folder: Path) -> None:
    save(Library(folder), "lease", LEASE)
    save(Library(folder), "ferry", "Timetable.", FERRY)


def save(library: Library, name: str, *pages: str) -> None:
    saved = Document(name=name, source=f"/papers/{name}.txt", pages=pages)
    with library.lock(name):
        library.finish(library.begin(saved), state_of(saved), header_of(saved))


def names_found(library: Library, sought: str) -> list[str]:
    return [found.document for found in library.passages.search(sought)]


def test_a_search_gives_passages_with_their_place_the_best_first(library: Library) -> None:
    best, second = library.passages.search("How many crowns is the rent?")
    assert (best.document, best.page) == ("lease", 1)
    assert LEASE[best.start : best.end] == LEASE
    assert (second.document, second.page) == ("ferry", 2)
    assert best.score > second.score > 0


@pytest.mark.parametrize("sought", ["rents", "Renting?", "the lease", "RENT"])
def test_stems_and_names_of_documents_are_found(sought: str, library: Library) -> None:
    assert names_found(library, sought) == ["lease"]


def test_only_the_named_documents_are_searched(library: Library) -> None:
    assert [found.document for found in library.passages.search("crowns", ["ferry", "none"])] == ["ferry"]
    assert library.passages.search("crowns", []) == []
    assert len(library.passages.search("crowns", most=1)) == 1


@pytest.mark.parametrize("sought", ["", "?!", "dog", '" OR "', "NEAR(rent", "rent*lease:"])
def test_any_text_can_be_sought(sought: str, library: Library) -> None:
    assert names_found(library, sought) in ([], ["lease"])


def test_scripts_without_blanks_are_found_by_their_characters(library: Library) -> None:
    save(library, "salt", "盐厂建于一八八七年。")
    assert names_found(library, "盐厂在哪里") == ["salt"]


def test_what_comes_goes_and_changes_is_followed(library: Library) -> None:
    save(library, "lease", "The dog may stay.")
    assert names_found(library, "rent") == []
    assert names_found(library, "dog") == ["lease"]
    library.rename("lease", "contract")
    assert names_found(library, "dog") == ["contract"]
    library.remove("contract")
    assert names_found(library, "dog") == []


def test_nothing_of_a_removed_text_stays_in_the_file(library: Library) -> None:
    file = library.root / "passages.sqlite"
    assert b"tenant" in file.read_bytes()
    library.remove("lease")
    assert b"tenant" not in b"".join(path.read_bytes() for path in library.root.glob("passages.sqlite*"))


def test_nothing_of_a_text_that_was_removed_by_hand_stays_once_somebody_searched(library: Library) -> None:
    shutil.rmtree(library.root / "documents" / "lease")
    assert names_found(library, "ticket") == ["ferry"]
    assert b"tenant" not in b"".join(path.read_bytes() for path in library.root.glob("passages.sqlite*"))


def test_the_index_is_private(library: Library) -> None:
    library.passages.search("rent")
    for path in library.root.glob("passages.sqlite*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_folders_that_were_copied_or_removed_by_hand_are_followed(library: Library) -> None:
    folders = library.root / "documents"
    shutil.copytree(folders / "lease", folders / "copy")
    shutil.rmtree(folders / "lease")
    (folders / "Stray Folder").mkdir()
    (folders / "stray-file").write_bytes(b"")
    assert names_found(library, "rent") == ["copy"]


def test_an_index_that_settled_is_not_compared_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders, long_ago = library.root / "documents", time.time() - 3600
    os.utime(folders, (long_ago, long_ago))
    assert names_found(library, "rent") == ["lease"]
    monkeypatch.setattr("dmdoc.library.passages.names_in", lambda _: pytest.fail("looked at the folders"))
    assert names_found(library, "rent") == ["lease"]


@pytest.mark.parametrize("content", [None, b"", b"not a database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_missing_or_damaged_index_is_made_anew(content: bytes | None, library: Library) -> None:
    file = library.root / "passages.sqlite"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert names_found(library, "rent") == ["lease"]
    assert names_found(Library(library.root), "ticket") == ["ferry"]


@pytest.mark.slow
def test_every_damaged_half_of_an_index_is_survived(library: Library) -> None:
    file = library.root / "passages.sqlite"
    whole = file.read_bytes()
    for cut in range(0, len(whole), 1024):
        file.write_bytes(whole[:cut] + bytes(len(whole) - cut))
        # Zeros among the words may hide a passage; they stop nobody.
        assert names_found(library, "rent") in (["lease"], []), cut


def test_a_damaged_document_has_no_passages_and_stops_no_other(library: Library) -> None:
    pages = library.root / "documents" / "lease" / "pages.json"
    pages.write_bytes(pages.read_bytes().replace(b"420", b"421"))
    assert names_found(library, "rent") == []
    assert names_found(library, "ticket") == ["ferry"]


def test_where_no_index_can_be_written_it_is_in_memory(library: Library) -> None:
    file = library.root / "passages.sqlite"
    file.unlink()
    file.mkdir()
    assert names_found(library, "rent") == ["lease"]
    save(library, "dogs", "Dogs may stay.")
    assert names_found(library, "dog") == ["dogs"]


def test_a_library_that_does_not_exist_has_no_passages(tmp_path: Path) -> None:
    assert Library(tmp_path / "none").passages.search("rent") == []


def test_an_ingest_that_was_killed_before_the_index_is_found(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library.passages, "put", lambda _: None)
    ingest(library, document("The heron nests in May."))
    assert names_found(library, "When does the heron nest?") == ["report"]


@pytest.mark.slow
def test_processes_may_save_and_search_at_once(library: Library) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_save_and_search, args=(library.root, number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert sorted(names_found(library, "heron")) == sorted(
        f"birds-{number}-{turn}" for number in range(3) for turn in range(8)
    )


def _save_and_search(root: Path, number: int) -> None:
    library = Library(root)
    for turn in range(8):
        save(library, f"birds-{number}-{turn}", f"The heron of lake {number} nests in week {turn}.")
        assert f"birds-{number}-{turn}" in names_found(library, "heron")


@pytest.mark.parametrize("sought", ["the minutes", "committee", "minutes of the committee"])
def test_a_whole_document_is_found_by_its_name_or_title(sought: str, library: Library) -> None:
    save(library, "recipe", "Bake it for minutes and minutes; the committee likes it. Minutes pass.")
    save(library, "march", "MINUTES OF THE COMMITTEE\nIn the boathouse.")
    (best, *_) = library.passages.search(sought, whole=True)
    assert best.document == "march"
