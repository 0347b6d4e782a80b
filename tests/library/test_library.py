import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
import torch

from dmdoc.document import Document
from dmdoc.errors import DmdocError, DocumentNotFoundError, StateFileError, UsageError
from dmdoc.library.library import Library
from dmdoc.library.locks import PATIENCE
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.rounding import rounded
from dmdoc.memory.state import MemoryState
from dmdoc.memory.state_file import save_state
from dmdoc.memory.state_header import Identity, Section, StateHeader


def document(
    text: str = "The old text.", *, name: str = "report", source: str = "/papers/report.txt"
) -> Document:
    return Document(name=name, source=source, pages=(text, "", "Its last page."))


SECTIONS = tuple(Section(100 + number, 1, 1) for number in range(3))


def header_of(document: Document, sections: tuple[Section, ...] = SECTIONS) -> StateHeader:
    model = Identity("example/model", "ab" * 32)
    return StateHeader(
        backbone=model,
        adapter=model,
        tokenizer=model,
        sections=sections,
        sections_total=3,
        write_budget=8192,
        write_layout="plain",
        write_granularity="token",
        refine_steps=0,
        document_sha256=document.sha256,
        dmdoc_version="0.1.0",
        created="2025-01-31T12:00:00+00:00",
    )


def state_of(document: Document, sections: range = range(3)) -> MemoryState:
    """States that tell from which text, and from which of its sections, they were made."""
    layer = torch.full((len(sections), 1, 4, 4), float(int(document.sha256[:4], 16)))
    return rounded(MemoryState((layer, layer + torch.tensor(list(sections))[:, None, None, None])))


def save_section(library: Library, staged: SavedDocument, document: Document, number: int) -> None:
    """One section more, the batch of an ingest that writes one at a time."""
    header = header_of(document, SECTIONS[number : number + 1])
    library.save_partial(staged, number, state_of(document, range(number, number + 1)), header)


def ingest(library: Library, document: Document) -> SavedDocument:
    """What the ingest does with the library: three sections, taken up where an earlier run stopped."""
    with library.lock(document.name):
        staged = library.begin(document)
        partial = staged.partial_state()
        for number in range(partial[0].batch if partial else 0, 3):
            save_section(library, staged, document, number)
        return library.finish(staged, state_of(document), header_of(document))


def assert_complete(saved: SavedDocument, document: Document) -> None:
    state, header = saved.state()
    assert (saved.name, saved.source, saved.sha256) == (document.name, document.source, document.sha256)
    assert (saved.page_count, saved.characters) == (len(document.pages), len(document.text))
    assert saved.pages() == document.pages
    assert saved.header() == header == header_of(document)
    assert state.equals(state_of(document))


def assert_tidy(library: Library, *names: str) -> None:
    """Only finished documents, and in each only its three files; nothing else but what says which is current."""
    assert not list((library.root / "locks").iterdir())
    beside = {path.name for path in library.root.iterdir() if ".sqlite" not in path.name}
    assert beside - {"current"} == {"documents", "locks"}
    assert sorted(path.name for path in (library.root / "documents").iterdir()) == sorted(names)
    for name in names:
        files = sorted(path.name for path in (library.root / "documents" / name).iterdir())
        assert files == ["document.json", "pages.json", "state.safetensors"]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "data" / "dmdoc")


# ── looking up ──


def test_an_ingested_document_is_found_again(library: Library) -> None:
    saved = ingest(library, document())
    again = Library(library.root)
    assert again.names() == ("report",)
    assert again.documents() == (saved,)
    assert again.get("report") == again.current() == saved
    assert_complete(saved, document())
    assert_tidy(library, "report")


def test_names_are_sorted_and_the_last_ingested_is_current(library: Library) -> None:
    for name in ("beta", "alpha", "gamma"):
        ingest(library, document(name=name))
    assert library.names() == ("alpha", "beta", "gamma")
    assert [saved.name for saved in library.documents()] == ["alpha", "beta", "gamma"]
    assert library.current().name == "gamma"
    library.keep("alpha")
    assert Library(library.root).current().name == "alpha"


def test_reading_an_empty_library_creates_nothing(library: Library) -> None:
    assert library.names() == ()
    assert library.documents() == ()
    assert library.status(document()) == "new"
    with pytest.raises(
        DocumentNotFoundError,
        match=r"no saved document 'report'; the library is empty: read a document first",
    ):
        library.get("report")
    with pytest.raises(DocumentNotFoundError, match=r"no document is current; the library is empty"):
        library.current()
    assert not library.root.exists()


def test_a_missing_name_lists_the_others(library: Library) -> None:
    for name in ("annual-report", "essay"):
        ingest(library, document(name=name))
    with pytest.raises(DocumentNotFoundError) as caught:
        library.get("anual-report")
    assert str(caught.value) == (
        "there is no saved document 'anual-report'; did you mean 'annual-report'? saved: annual-report, essay"
    )
    with pytest.raises(DocumentNotFoundError, match="'novel'; saved: annual-report, essay"):
        library.keep("novel")


def test_a_long_list_is_counted(library: Library) -> None:
    for number in range(12):
        folder = library.root / "documents" / f"paper-{number:02}"
        folder.mkdir(parents=True)
        (folder / "document.json").write_text("{}")
    with pytest.raises(DocumentNotFoundError, match="paper-08, paper-09 and 2 more"):
        library.get("zebra")


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\\b", "../report", "x" * 101, "-"])
def test_a_name_that_cannot_be_one_is_refused_everywhere(library: Library, name: str) -> None:
    ingest(library, document())
    calls: list[Callable[[], object]] = [
        lambda: library.get(name),
        lambda: library.keep(name),
        lambda: library.remove(name),
        lambda: library.rename("report", name),
        lambda: library.begin(document(name=name)),
        lambda: library.status(document(name=name)),
        lambda: library.lock(name).__enter__(),
    ]
    for call in calls:
        with pytest.raises(UsageError) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert_tidy(library, "report")


def test_listing_needs_no_torch(library: Library) -> None:
    ingest(library, document())
    script = (
        "import sys; from pathlib import Path; from dmdoc.library.library import Library; "
        f"library = Library(Path({str(library.root)!r})); "
        "assert library.documents()[0].pages() and library.current().header(); "
        "assert not {'torch', 'numpy', 'filelock', 'pypdf'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=True)


# ── new, unchanged, updated, taken ──


def test_status(library: Library) -> None:
    assert library.status(document()) == "new"
    library.begin(document())
    assert library.status(document()) == "new"
    ingest(library, document())
    assert library.status(document()) == "unchanged"
    assert library.status(document("The new text.")) == "updated"
    library.begin(document("The new text."))
    assert library.status(document("The new text.")) == "updated"
    assert library.status(document(name="other")) == "new"


@pytest.mark.parametrize("finished", [True, False])
def test_a_name_belongs_to_its_source(library: Library, finished: bool) -> None:
    if finished:
        ingest(library, document())
    else:
        library.begin(document())
    elsewhere = document("Another text.", source="/elsewhere/report.txt")
    for call in (library.status, library.begin):
        with pytest.raises(UsageError) as caught:
            call(elsewhere)
        assert str(caught.value) == (
            "the name 'report' is taken by a document from '/papers/report.txt'; "
            "give another name, or remove that document first"
        )


def test_standard_input_is_told_apart_by_its_text(library: Library) -> None:
    ingest(library, document(source="-"))
    assert library.status(document(source="-")) == "unchanged"
    assert library.status(document(source="/papers/report.txt")) == "unchanged"
    for source in ("-", "/papers/report.txt"):
        with pytest.raises(UsageError, match="taken by a document from standard input; give another name"):
            library.status(document("Another text.", source=source))


# ── an ingest ──


def test_the_old_document_answers_until_the_new_one_is_finished(library: Library) -> None:
    ingest(library, document())
    new = document("The new text.")
    staged = library.begin(new)
    save_section(library, staged, new, 0)
    assert library.names() == ("report",)
    assert_complete(library.get("report"), document())
    assert_complete(library.finish(staged, state_of(new), header_of(new)), new)
    assert_complete(library.get("report"), new)
    assert_tidy(library, "report")


def test_an_interrupted_ingest_goes_on(library: Library) -> None:
    staged = library.begin(document())
    assert staged.partial_state() is None
    for number in (0, 1):
        save_section(library, staged, document(), number)

    again = Library(library.root)
    taken_up = again.begin(document())
    assert taken_up == staged
    partial = taken_up.partial_state()
    assert partial is not None
    assert partial[0].equals(state_of(document(), range(2)))
    assert partial[1].sections == SECTIONS[:2]


def test_an_unfinished_document_is_not_listed(library: Library) -> None:
    library.begin(document())
    assert library.names() == ()
    with pytest.raises(
        DocumentNotFoundError, match="'report' has no finished state: its ingest was interrupted"
    ):
        library.get("report")


def test_a_partial_state_is_dropped_when_the_text_changed_or_on_restart(library: Library) -> None:
    staged = library.begin(document())
    save_section(library, staged, document(), 0)
    assert library.begin(document(), restart=True).partial_state() is None

    save_section(library, library.begin(document()), document(), 0)
    assert library.begin(document("The new text.")).partial_state() is None


def test_an_altered_partial_state_is_refused_until_restart(library: Library) -> None:
    staged = library.begin(document())
    save_section(library, staged, document(), 0)
    path = staged.partial_path(0)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StateFileError, match="truncated"):
        library.begin(document()).partial_state()
    assert library.begin(document(), restart=True).partial_state() is None


def test_an_unchanged_document_can_be_ingested_again(library: Library) -> None:
    ingest(library, document())
    staged = library.begin(document(), restart=True)
    assert staged.partial_state() is None
    library.finish(staged, state_of(document()), header_of(document()))
    assert_complete(library.get("report"), document())
    assert_tidy(library, "report")


def test_an_ingest_that_was_overtaken_is_refused(library: Library) -> None:
    staged = library.begin(document())
    library.begin(document("The new text."))
    with pytest.raises(DmdocError, match="another ingest of 'report' took the place of this one"):
        library.finish(staged, state_of(document()), header_of(document()))
    assert library.names() == ()


# ── managing ──


def test_remove(library: Library) -> None:
    ingest(library, document(name="novel"))
    ingest(library, document())
    library.begin(document("The new text."))
    library.remove("report")
    assert library.names() == ("novel",)
    assert_tidy(library, "novel")
    with pytest.raises(DocumentNotFoundError, match="no document is current; saved: novel"):
        library.current()
    with pytest.raises(DocumentNotFoundError, match="no saved document 'report'; saved: novel"):
        library.remove("report")


def test_several_are_removed_or_none(library: Library) -> None:
    for name in "abc":
        ingest(library, document(name=name))
    with pytest.raises(DocumentNotFoundError, match="no saved document 'nothing'"):
        library.remove("a", "nothing", "b")
    assert library.names() == ("a", "b", "c")
    library.remove("c", "a", "c")
    assert library.names() == ("b",)
    with pytest.raises(DocumentNotFoundError, match="no document is current"):
        library.current()


def test_removing_another_document_leaves_the_current_one(library: Library) -> None:
    ingest(library, document(name="other"))
    ingest(library, document())
    library.remove("other")
    assert library.current().name == "report"


def test_an_unfinished_document_can_be_removed(library: Library) -> None:
    library.begin(document())
    library.remove("report")
    assert_tidy(library)


def test_a_damaged_document_says_so_and_can_be_removed(library: Library) -> None:
    saved = ingest(library, document())
    for content in ("", "[]", '{"schema": 1}', '{"schema": 1, "source": "/a", "sha256": "", "pages": []}'):
        (saved.folder / "document.json").write_text(content)
        with pytest.raises(DmdocError, match=r"document\.json is damaged; remove the document") as caught:
            library.get("report")
        assert "\n" not in str(caught.value)
    library.remove("report")
    assert_tidy(library)


def test_a_newer_document_says_so(library: Library) -> None:
    saved = ingest(library, document())
    (saved.folder / "document.json").write_text('{"schema": 99}')
    with pytest.raises(DmdocError, match=r"written by a newer dmdoc \(schema 99\); upgrade dmdoc"):
        library.get("report")


def test_altered_pages_are_refused(library: Library) -> None:
    saved = ingest(library, document())
    (saved.folder / "pages.json").write_text('{"schema": 1, "pages": ["Another text."]}')
    with pytest.raises(DmdocError, match="it was replaced or altered"):
        saved.pages()


def test_a_state_of_another_text_is_refused(library: Library) -> None:
    saved = ingest(library, document())
    save_state(saved.state_path, state_of(document("x")), header_of(document("x")))
    for read in (saved.state, saved.header):
        with pytest.raises(DmdocError, match="it was replaced or altered"):
            read()


def test_a_document_looked_up_before_its_update_is_refused_after_it(library: Library) -> None:
    before = ingest(library, document())
    ingest(library, document("The new text."))
    for read in (before.pages, before.header, before.state):
        with pytest.raises(DmdocError, match="try again"):
            read()


def test_rename(library: Library) -> None:
    ingest(library, document())
    new = document("The new text.")
    staged = library.begin(new)
    save_section(library, staged, new, 0)
    renamed = library.rename("report", "thesis")
    assert_complete(renamed, document(name="thesis"))
    assert library.names() == ("thesis",)
    assert library.current() == renamed
    partial = library.begin(document("The new text.", name="thesis")).partial_state()
    assert partial is not None, "an interrupted ingest follows its document"


def test_rename_refuses_a_taken_name_and_a_missing_document(library: Library) -> None:
    ingest(library, document())
    ingest(library, document(name="other"))
    library.begin(document(name="begun"))
    for taken in ("other", "begun", "report"):
        with pytest.raises(UsageError, match=f"the name '{taken}' is taken"):
            library.rename("report", taken)
    with pytest.raises(DocumentNotFoundError, match="did you mean 'report'"):
        library.rename("reprot", "thesis")
    assert library.current().name == "other"


# ── the disk says no ──


def test_everything_in_the_library_is_private(library: Library) -> None:
    ingest(library, document())
    library.tag("report", add=["salt"])
    save_section(library, library.begin(document("The new text.")), document("The new text."), 0)
    for path in (library.root, *library.root.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_root_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    library = Library(tmp_path / "file")
    for call in (
        lambda: library.begin(document()),
        library.names,
        library.current,
        lambda: library.remove("report"),
    ):
        with pytest.raises(DmdocError, match=r"set DMDOC_HOME to another folder$") as caught:
            call()
        assert str(tmp_path / "file") in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_root_without_permission_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DmdocError, match="Permission denied"):
        Library(tmp_path / "data").begin(document())


def test_a_full_disk_leaves_the_old_document(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(library, document())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DmdocError, match="No space left on device") as caught:
            ingest(library, document("The new text."))
    assert "\n" not in str(caught.value)
    assert_complete(library.get("report"), document())
    assert_complete(ingest(library, document("The new text.")), document("The new text."))
    assert_tidy(library, "report")


def test_what_goes_wrong_while_the_lock_is_held_is_not_blamed_on_the_library(library: Library) -> None:
    with pytest.raises(ConnectionError), library.lock("report"):
        raise ConnectionError("elsewhere")


# ── locks ──


@pytest.mark.slow
def test_a_second_ingest_waits_for_the_first(library: Library) -> None:
    first, second = document("The first text."), document("The second text.")
    waiting = Thread(target=ingest, args=(Library(library.root), second), daemon=True)
    with library.lock("report"):
        staged = library.begin(first)
        waiting.start()
        waiting.join(timeout=0.3)
        assert waiting.is_alive()
        assert_complete(library.finish(staged, state_of(first), header_of(first)), first)
    waiting.join(timeout=30)
    assert_complete(library.get("report"), second)


def test_documents_of_other_names_need_not_wait(library: Library) -> None:
    other = Thread(target=ingest, args=(Library(library.root), document(name="other")), daemon=True)
    with library.lock("report"):
        other.start()
        other.join(timeout=30)
        assert library.names() == ("other",)


def test_readers_need_not_wait(library: Library) -> None:
    ingest(library, document())
    with Library(library.root).lock("report"):
        assert_complete(library.get("report"), document())


@pytest.mark.slow
def test_who_waits_hears_for_whom_and_nobody_else_does(library: Library) -> None:
    heard: list[tuple[str, int | None]] = []
    waiter = Library(library.root, on_wait=lambda name, holder: heard.append((name, holder)))
    ingest(waiter, document(name="other"))
    assert heard == []
    waiting = Thread(target=ingest, args=(waiter, document()), daemon=True)
    with library.lock("report"):
        waiting.start()
        waiting.join(timeout=PATIENCE + 1)
        assert waiting.is_alive()
    waiting.join(timeout=60)
    assert heard == [("report", os.getpid())]
    assert_tidy(library, "other", "report")
