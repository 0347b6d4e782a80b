"""Whether a file has changed since it was read."""

import os
from pathlib import Path

import pytest

from dmdoc.document import IsolatedReader, Stamp, read_document


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("Salt.", encoding="utf-8")
    return tmp_path / "a.txt"


@pytest.fixture
def stamp(file: Path) -> Stamp:
    found = read_document(str(file)).file
    assert isinstance(found, Stamp)
    return found


def test_a_file_that_is_touched_is_unchanged(file: Path, stamp: Stamp) -> None:
    assert stamp.change(str(file)) == "unchanged"
    os.utime(file, ns=(1, 1))
    assert stamp.change(str(file)) == "unchanged"


@pytest.mark.parametrize("text", ["Silt.", "Salt and more."])
def test_a_file_with_other_bytes_has_changed(file: Path, stamp: Stamp, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    os.utime(file, ns=(1, 1))
    assert stamp.change(str(file)) == "changed"


def test_a_file_that_was_removed_is_gone(file: Path, stamp: Stamp) -> None:
    file.unlink()
    assert stamp.change(str(file)) == "gone"


def test_the_other_process_hands_it_over(file: Path, stamp: Stamp) -> None:
    with IsolatedReader() as reader:
        assert reader.read(str(file)).file == stamp
