"""What verification proves, and what it finds."""

from pathlib import Path

import pytest
from tiny import tiny_reader

from dmdoc.answer.verify import verify
from dmdoc.document import Document
from dmdoc.errors import DmdocError, IdentityError, StateFileError
from dmdoc.ingest.single import ingest
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.state_file import save_state
from dmdoc.model.reader import Reader

REPORT = Document("report", "/papers/report.txt", ("Lot seven holds salt.",))


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader()


@pytest.fixture
def saved(reader: Reader, tmp_path: Path) -> SavedDocument:
    return ingest(REPORT, reader, Library(tmp_path)).document


def test_a_whole_document_changes_what_the_model_says(saved: SavedDocument, reader: Reader) -> None:
    assert 0 < verify(saved, reader) <= 1
    assert verify(saved, reader) == verify(saved, reader)


def test_a_state_that_says_nothing_is_found(saved: SavedDocument, reader: Reader) -> None:
    save_state(saved.state_path, reader.zero_state(), saved.header())
    with pytest.raises(StateFileError, match="changes nothing"):
        verify(saved, reader)


def test_an_altered_text_is_found(saved: SavedDocument, reader: Reader) -> None:
    pages = saved.folder / "pages.json"
    pages.write_text(pages.read_text(encoding="utf-8").replace("salt", "sand"), encoding="utf-8")
    with pytest.raises(DmdocError, match=r"pages\.json is damaged"):
        verify(saved, reader)


def test_an_altered_state_is_found(saved: SavedDocument, reader: Reader) -> None:
    content = saved.state_path.read_bytes()
    saved.state_path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(StateFileError, match="was altered"):
        verify(saved, reader)


def test_a_state_of_another_model_is_found(saved: SavedDocument) -> None:
    with pytest.raises(IdentityError):
        verify(saved, tiny_reader(seed=9))
