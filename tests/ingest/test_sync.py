"""Files that somebody is still writing are read when they are whole."""

import os
from pathlib import Path

import pytest

from dmdoc.document import Document, read_document
from dmdoc.ingest import sync
from dmdoc.ingest.sync import Differences, differences
from dmdoc.library.library import Library

WHOLE = "Lot seven holds salt."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "papers").mkdir()
    file = tmp_path / "papers" / "lots.txt"
    file.write_text("Lot sev", encoding="utf-8")
    return file


def compared(file: Path) -> tuple[Differences, list[str]]:
    """What differs from an empty library, and what was read."""
    texts: list[str] = []

    def read(source: str) -> Document:
        document = read_document(source)
        texts.append(document.text)
        return document

    found = differences([str(file)], [str(file.parent)], Library(file.parent.parent / "library"), read)
    return found, texts


def test_a_file_that_is_being_written_is_waited_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> None:
        assert 0 < seconds <= sync.SETTLED
        file.write_text(WHOLE, encoding="utf-8")
        os.utime(file, (1, 1))

    monkeypatch.setattr("dmdoc.ingest.sync.time.sleep", sleep)
    found, texts = compared(file)
    assert (found.added, texts) == ((str(file),), [WHOLE])


def test_one_that_is_written_without_end_is_read_all_the_same(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("dmdoc.ingest.sync.time.time", lambda: file.stat().st_mtime + 0.01)
    monkeypatch.setattr("dmdoc.ingest.sync.time.sleep", waited.append)
    found, _ = compared(file)
    assert found.added == (str(file),)
    assert 0 < sum(waited) < 10


def test_one_that_is_removed_meanwhile_is_only_that_failure(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dmdoc.ingest.sync.time.sleep", lambda _: file.unlink())
    found, _ = compared(file)
    assert list(found.failed) == [str(file)]
