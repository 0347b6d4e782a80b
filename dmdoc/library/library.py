"""The saved documents under one root: looking them up (shelf.py), and changing them one whole command at a time.

    root/current            the name of the document that was ingested last
    root/documents/NAME/    its files: saved_document.py; the folders beside it: document_folders.py
    root/journal            the change that is being made: journal.py
    root/locks/NAME.lock    held by whoever changes NAME: locks.py
    root/passages.sqlite    an index of the texts, made from the folders: passages.py
    root/catalogue.sqlite   an index of their descriptions: catalogue.py

Readers take no lock and change nothing. An ingest is staged beside the finished document of its name, which
stays answerable until the new one replaces it. Knows nothing about models, tokens or how a state is computed.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dmdoc.atomic_file import PRIVATE, clear_temporary, write_atomically
from dmdoc.document import Document, Stamp, WebStamp, check_name, check_tag
from dmdoc.errors import DmdocError, DocumentNotFoundError, UsageError
from dmdoc.library.describe import bound, complete, description, restore_document, rewrite, stage_document
from dmdoc.library.document_folders import DocumentFolders, clear_removed, discard
from dmdoc.library.journal import Change, Journal
from dmdoc.library.locks import Locks, OnWait
from dmdoc.library.passages import PassageIndex
from dmdoc.library.saved_document import SavedDocument, is_saved_document, read_saved_document
from dmdoc.library.shelf import Shelf, explained
from dmdoc.memory.state_file import save_state
from dmdoc.memory.state_header import StateHeader

if TYPE_CHECKING:
    from dmdoc.memory.state import MemoryState


class Library(Shelf):
    """All saved documents under one root folder, which the first write creates.

    Args:
        on_wait: hears whom a change has been waiting for, after a second.

    Every method raises UsageError for a name that cannot be one, and DmdocError when the disk says no.
    """

    def __init__(self, root: Path, on_wait: OnWait | None = None) -> None:
        super().__init__(root)
        self.passages = PassageIndex(root)
        self._locks = Locks(root / "locks", on_wait)
        self._journal = Journal(root, self._locks, self._settled)

    def tidy(self) -> None:
        """Finish or clear away what killed processes left, whatever they were doing; the living are left alone."""
        # A library that cannot be written has to be readable all the same.
        with suppress(OSError):
            self._journal.finish()
            for name, note in self._locks.abandoned():
                if note:
                    written = Path(note)
                    clear_temporary(written.parent, written.name)
                with suppress(UsageError):
                    self._settle(self._folders(name))
            clear_removed(self._documents)
            if self.root.exists():
                clear_temporary(self.root)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Be the only one who changes a document: wait for whoever does now. The holder may lock again.

        Hold it from before `begin` until after `finish`, so that a second ingest waits for the first.
        """
        check_name(name)
        with ExitStack() as held:
            with explained(self.root):
                self._make_folders()
                held.enter_context(self._locks.hold(name))
            yield

    def claim(self, document: Document) -> None:
        """Take a document's name, so that no other run gives it to a document from elsewhere.

        Raises:
            UsageError: the name belongs to a document from elsewhere.
        """
        with self._changing(document.name):
            if self.status(document) == "new":
                self.begin(document)

    def begin(self, document: Document, *, restart: bool = False) -> SavedDocument:
        """Stage a document for its ingest; an interrupted one of the same text is taken up unless `restart`.

        Raises:
            UsageError: the name belongs to a document from elsewhere.
        """
        with self._changing(document.name) as folders:
            self.status(document)
            if restart or not self._is_staged(document):
                now = datetime.now(UTC).isoformat(timespec="seconds")
                stage_document(folders.stage(), document, created=now)
            return read_saved_document(document.name, folders.staging)

    def save_partial(
        self, staged: SavedDocument, before: int, state: "MemoryState", header: StateHeader
    ) -> None:
        """Keep a batch of sections, for `SavedDocument.partial_state` after an interruption.

        Args:
            before: how many sections are kept already.
            state: of the batch alone, as are the sections of `header`.

        Raises:
            DmdocError: another process staged the document anew, because the lock was not held.
        """
        with self._changing(staged.name):
            self._check_staged(staged, header)
            save_state(staged.partial_path(before), state, header)
            staged.refining_path(before).unlink(missing_ok=True)

    def save_refining(self, staged: SavedDocument, before: int, content: bytes) -> None:
        """Keep the refinement of the batch that comes after the first `before` sections, for as long as it takes.

        Raises:
            DmdocError: as `save_partial`.
        """
        with self._changing(staged.name):
            self._check_taken(staged)
            write_atomically(staged.refining_path(before), content, mode=PRIVATE)

    def finish(
        self, staged: SavedDocument, state: "MemoryState", header: StateHeader, *, tags: Iterable[str] = ()
    ) -> SavedDocument:
        """Publish a staged document with its finished state, in place of the older one, and make it current.

        Args:
            tags: beside those of the older one.

        Raises:
            DmdocError: as `save_partial`.
            UsageError: one of `tags` cannot be a tag.
        """
        added = _checked(tags)
        with self._changing(staged.name) as folders:
            self._check_staged(staged, header)
            save_state(staged.state_path, state, header)
            for partial in staged.partial_paths():
                partial.unlink()
            replaced = self._finished(staged.name)
            complete(staged, header, added.union(() if replaced is None else replaced.tags))
            name = staged.name
            self._journal.make(Change(folders.publishing(), (name,), current=name, always=True))
            discard(folders.old)
            return self.get(name)

    def remove(self, *names: str) -> None:
        """Remove documents, and whatever unfinished ingests of them left: all of them or none.

        Raises:
            DocumentNotFoundError: there is nothing of one of these names; nothing was removed.
        """
        with ExitStack() as held:
            # Always in the same order, as in `rename`.
            found = [held.enter_context(self._changing(name)) for name in sorted(set(names))]
            for folders in found:
                if not folders.used:
                    raise DocumentNotFoundError(self._why_missing(folders.name))
            moves = tuple(move for folders in found for move in folders.removing())
            self._journal.make(Change(moves, tuple(folders.name for folders in found), current=None))
            clear_removed(self._documents)

    def rename(self, old: str, new: str, *, source: str | None = None) -> SavedDocument:
        """Give a document another name, and another source if its file was moved.

        Raises:
            DocumentNotFoundError: no finished document `old`.
            UsageError: `new` is taken.
        """
        with ExitStack() as held:
            # Always in the same order, so that two renames never wait for one another.
            folders = {name: held.enter_context(self._changing(name)) for name in sorted({old, new})}
            saved = self.get(old)
            if folders[new].used:
                raise UsageError(f"the name {new!r} is taken; choose another, or remove that document first")
            moves, moved = folders[old].renaming(folders[new]), None
            if source is not None:
                moved = new, description(bound(replace(saved, source=source)))
            self._journal.make(Change(moves, (old, new), current=new, description=moved))
            return self.get(new)

    def tag(self, name: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> SavedDocument:
        """Add and remove tags of a document; the later versions of it keep them.

        Raises:
            DocumentNotFoundError: there is no finished document of that name.
            UsageError: what is to be added cannot be a tag.
        """
        added = _checked(add)
        with self._changing(name):
            saved = self.get(name)
            tags = added.union(saved.tags).difference(remove)
            return rewrite(saved, replace(saved, tags=tuple(sorted(tags))))

    def keep(
        self, name: str, *, tags: Iterable[str] = (), file: Stamp | WebStamp | None = None
    ) -> SavedDocument:
        """Note, all of it or none, that the text of a saved document was read again and has not changed.

        The document gets `tags` beside its own, `file` as what its source is like now, and becomes the current one.

        Raises:
            DocumentNotFoundError: there is no finished document of that name.
            UsageError: one of `tags` cannot be a tag.
        """
        added = _checked(tags)
        with self._changing(name):
            saved = self.get(name)
            kept = replace(saved, tags=tuple(sorted(added.union(saved.tags))), file=file or saved.file)
            if kept == saved:
                self._journal.set_current(name)
                return saved
            described = name, description(bound(kept))
            self._journal.make(Change((), (name,), current=name, always=True, description=described))
            return self.get(name)

    @contextmanager
    def writing(self, path: Path) -> Iterator[None]:
        """Write a file elsewhere: should this process be killed, the next command clears away what it left of it."""
        with ExitStack() as held:
            with suppress(OSError):  # a library that cannot be written
                self._make_folders()
                held.enter_context(self._locks.hold(f".{secrets.token_hex(8)}", note=str(path.absolute())))
            yield

    def restore(self, saved: SavedDocument, pages: Sequence[str]) -> SavedDocument:
        """Write the description of a document anew, and its text unless that is there."""
        with self._changing(saved.name):
            return restore_document(saved, pages)

    def set_source(self, name: str, source: str) -> SavedDocument:
        """Say that a document is from `source`, an absolute path: its file was moved.

        Raises:
            DocumentNotFoundError: there is no finished document of that name.
        """
        with self._changing(name):
            saved = self.get(name)
            return rewrite(saved, replace(saved, source=source))

    def _check_staged(self, staged: SavedDocument, header: StateHeader) -> None:
        assert header.document_sha256 == staged.sha256, "a state of another text"
        self._check_taken(staged)

    def _check_taken(self, staged: SavedDocument) -> None:
        if self._staged(staged.name) != staged:
            raise DmdocError(f"another ingest of {staged.name!r} took the place of this one; run it again")

    @contextmanager
    def _changing(self, name: str) -> Iterator[DocumentFolders]:
        """Hold the lock, with everything in its place."""
        folders = self._folders(name)
        with self.lock(name), explained(self.root):
            self._journal.finish()
            self._settle(folders)
            yield folders

    def _settle(self, folders: DocumentFolders) -> None:
        folders.settle()
        if not is_saved_document(folders.staging):
            discard(folders.staging)

    def _settled(self, names: Sequence[str]) -> None:
        """Make the indexes agree with the folders; nothing of a text that is gone stays in it."""
        gone = [name for name in names if not DocumentFolders(self._documents, name).used]
        self.passages.drop(*gone)
        for name in set(names).difference(gone):
            self.passages.put(name)
        for name in names:
            self._catalogue.put(name, self._surveyed)

    def _make_folders(self) -> None:
        for folder in (self.root, self._documents, self.root / "locks"):
            # What people read is private; the XDG base directory specification asks for 0700.
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _checked(tags: Iterable[str]) -> set[str]:
    """
    Raises:
        UsageError: one of them cannot be a tag.
    """
    found = set(tags)
    for tag in sorted(found):
        check_tag(tag)
    return found
