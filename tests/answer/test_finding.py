"""Which saved document a question is put to."""

from pathlib import Path

import pytest
from command_line import Once
from test_library import header_of, state_of

from dmdoc.answer.finding import find_document
from dmdoc.document import Document
from dmdoc.errors import DocumentNotFoundError
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument
from dmdoc.model.reader import Reader

TEXTS = {
    "cake": "Plum cake\nBake it for 45 minutes. An overview of summaries: this dough is about fat.",
    "march": "MINUTES OF THE COMMITTEE\nThe roof is to be mended.",
    "quay-street-lease": "Between Olsen and Hauge.\nThe cake shop below may bake until ten.",
}


@pytest.fixture
def library(tmp_path: Path, once: Once) -> Library:
    once(tmp_path / "library", save_all)
    return Library(tmp_path / "library")


def save_all(folder: Path) -> None:
    for name, text in TEXTS.items():
        add(Library(folder), name, text)


def add(library: Library, name: str, text: str) -> None:
    document = Document(name=name, source=f"/papers/{name}.txt", pages=(text,))
    with library.lock(name):
        library.finish(library.begin(document), state_of(document), header_of(document))


def no_reader(_saved: SavedDocument) -> Reader:
    raise AssertionError("the words decide")


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Summarise the minutes", "march"),
        ("Give me an overview of the committee's minutes.", "march"),
        ("What is the lease about?", "quay-street-lease"),
        ("Summarise the cake", "cake"),
        ("What is to be mended?", "march"),
        ("How many minutes must it bake?", "cake"),
    ],
)
def test_a_summary_is_of_the_document_that_is_called_so(question: str, name: str, library: Library) -> None:
    for names in (library.names(), None):
        found = find_document(question, library, names, no_reader)
        assert (found.document.name, found.by, found.among) == (name, "words", 3)


QUESTION = "What is to be mended?"


def test_what_another_process_adds_removes_and_renames_is_seen(library: Library) -> None:
    other = Library(library.root)
    assert find_document(QUESTION, library, None, no_reader).document.name == "march"
    other.rename("march", "minutes")
    found = find_document(QUESTION, library, None, no_reader)
    assert (found.document.name, found.among) == ("minutes", 3)
    add(other, "april", "What is to be mended is the door, and to be mended again.")
    found = find_document(QUESTION, library, None, no_reader)
    assert (found.document.name, found.among) == ("april", 4)
    other.remove("april", "minutes")
    found = find_document("May the cake shop bake?", library, None, no_reader)
    assert (found.document.name, found.among) == ("quay-street-lease", 2)


def test_all_documents_are_asked_without_listing_them(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(_: Library) -> tuple[str, ...]:
        raise AssertionError("the folder was listed")

    monkeypatch.setattr(Library, "names", listed)
    assert find_document(QUESTION, library, None, no_reader).document.name == "march"


def test_one_document_is_asked_whatever_the_words_say(library: Library) -> None:
    library.remove("march", "cake")
    found = find_document("Who?", library, None, no_reader)
    assert (found.document.name, found.by, found.among) == ("quay-street-lease", "given", 1)


def test_a_document_damaged_by_hand_does_not_hide_the_others(library: Library) -> None:
    assert find_document(QUESTION, library, None, no_reader).document.name == "march"
    (library.root / "documents" / "march" / "document.json").unlink()
    found = find_document(
        "Is the committee's roof, or the cake shop below, to be mended?", library, None, no_reader
    )
    assert (found.document.name, found.among) == ("quay-street-lease", 2)


def test_an_empty_library_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DocumentNotFoundError, match="the library is empty"):
        find_document(QUESTION, Library(tmp_path), None, no_reader)
