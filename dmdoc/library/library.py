"""The saved documents under one root: names, lookup, locks, and the steps of an ingest.

    root/current            the name of the document that was ingested last
    root/documents/NAME/    its files: saved_document.py; the folders beside it: document_folders.py
    root/locks/NAME.lock    held by whoever changes NAME
    root/passages.sqlite    an index of the texts, made from the folders: passages.py

Readers take no lock and change nothing. An ingest is staged beside the finished document of its name, which
stays answerable until the new one replaces it. Knows nothing about models, tokens or how a state is computed.
"""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dmdoc.atomic_file import PRIVATE, sync_folder
from dmdoc.document import STDIN, Document, check_name, check_tag, is_name
from dmdoc.errors import DmdocError, DocumentNotFoundError, UsageError
from dmdoc.library.document_folders import DocumentFolders, names_in
from dmdoc.library.passages import PassageIndex
from dmdoc.library.record import read_record, write_record
from dmdoc.library.saved_document import (
    Damaged,
    SavedDocument,
    complete,
    is_saved_document,
    read_saved_document,
    stage_document,
    write_source,
    write_tags,
)
from dmdoc.memory.state_file import StateHeader, save_state

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from dmdoc.memory.state import MemoryState

_LISTED = 10  # names an error message lists before it only counts


class Library:
    """All saved documents under one root folder, which the first write creates.

    Every method raises UsageError for a name that cannot be one, and DmdocError when the disk says no.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.passages = PassageIndex(root)
        self._documents = root / "documents"
        self._current = root / "current"
        self._locks: dict[str, BaseFileLock] = {}  # one object a name, so that its holder may lock again

    def names(self) -> tuple[str, ...]:
        """Every document with a finished state, sorted."""
        with _explained(self.root):
            names = filter(is_name, names_in(self._documents))
            return tuple(sorted(filter(self._is_finished, names)))

    def survey(self) -> tuple[SavedDocument | Damaged, ...]:
        """Every document with a finished state, and what is damaged, sorted by name. One never hides the others."""
        with _explained(self.root):
            names = sorted(names_in(self._documents))
        return tuple(found for name in names if (found := self._surveyed(name)) is not None)

    def documents(self) -> tuple[SavedDocument, ...]:
        """Every document with a finished state that can be used, sorted by name."""
        return tuple(found for found in self.survey() if isinstance(found, SavedDocument))

    def sources(self) -> dict[str, str]:
        """Every name that is taken, be its ingest finished or interrupted, and where that document is from.

        The source of a document that is too damaged to name it is "".
        """
        found: dict[str, str] = {}
        with _explained(self.root):
            names = sorted(names_in(self._documents))
        for name in names:
            try:
                saved = self._finished(name) or self._staged(name)
            except DmdocError:
                found[name] = ""
            else:
                if saved is not None:
                    found[name] = saved.source
        return found

    def get(self, name: str) -> SavedDocument:
        """The finished document of a name.

        Raises:
            DocumentNotFoundError: no such document, or its ingest never finished.
        """
        saved = self._finished(name)
        if saved is None:
            raise DocumentNotFoundError(self._why_missing(name))
        return saved

    def current(self) -> SavedDocument:
        """The document that was ingested, or made current, last.

        Raises:
            DocumentNotFoundError: there is none, or it was removed.
        """
        name = self._current_name()
        if name is None:
            raise DocumentNotFoundError(f"no document is current; {self._what_to_do()}")
        return self.get(name)

    def is_current(self, saved: SavedDocument) -> bool:
        return self._current_name() == saved.name

    def set_current(self, name: str) -> None:
        """Raises DocumentNotFoundError when there is no finished document of that name."""
        self.get(name)
        with _explained(self.root), self._lock_file(".current"):
            write_record(self._current, {"name": name})

    def status(self, document: Document) -> Literal["new", "unchanged", "updated"]:
        """Whether no finished document has this name yet, or the saved one has this text, or another.

        Raises:
            UsageError: the name belongs to a document from elsewhere, finished or not.
        """
        finished = self._finished(document.name)
        saved = finished or self._staged(document.name)
        if saved is not None and not _same_origin(saved, document):
            source = "standard input" if saved.source == STDIN else repr(saved.source)
            raise UsageError(
                f"the name {document.name!r} is taken by a document from {source}; "
                f"pass another with --name, or `dmdoc rm {document.name}` first"
            )
        if finished is None:
            return "new"
        return "unchanged" if finished.sha256 == document.sha256 else "updated"

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Be the only one who changes a document: wait for whoever does now. The holder may lock again.

        Hold it from before `begin` until after `finish`, so that a second ingest waits for the first.
        """
        check_name(name)
        with ExitStack() as held:
            with _explained(self.root):
                held.enter_context(self._lock_file(name))
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

    def finish(self, staged: SavedDocument, state: "MemoryState", header: StateHeader) -> SavedDocument:
        """Publish a staged document with its finished state, in place of the older one, and make it current.

        Raises:
            DmdocError: as `save_partial`.
        """
        with self._changing(staged.name) as folders:
            self._check_staged(staged, header)
            save_state(staged.state_path, state, header)
            for partial in staged.partial_paths():
                partial.unlink()
            sync_folder(staged.folder)
            replaced = self._finished(staged.name)
            complete(staged, header, () if replaced is None else replaced.tags)
            folders.publish()
            self.passages.put(staged.name)
            self.set_current(staged.name)
            return self.get(staged.name)

    def remove(self, *names: str) -> None:
        """Remove documents, and whatever unfinished ingests of them left.

        Raises:
            DocumentNotFoundError: there is nothing of one of these names; nothing was removed.
        """
        with ExitStack() as held:
            # Always in the same order, as in `rename`.
            found = [held.enter_context(self._changing(name)) for name in sorted(set(names))]
            for folders in found:
                if not folders.used:
                    raise DocumentNotFoundError(self._why_missing(folders.name))
            for folders in found:
                folders.discard(folders.staging)
                folders.discard(folders.home)
            self.passages.drop(*names)
            with self._lock_file(".current"):
                if self._current_name() in names:
                    self._current.unlink()

    def rename(self, old: str, new: str) -> SavedDocument:
        """Give a document another name.

        Raises:
            DocumentNotFoundError: no finished document `old`.
            UsageError: `new` is taken.
        """
        with ExitStack() as held:
            # Always in the same order, so that two renames never wait for one another.
            folders = {name: held.enter_context(self._changing(name)) for name in sorted({old, new})}
            self.get(old)
            if folders[new].used:
                raise UsageError(f"the name {new!r} is taken; choose another, or remove that document first")
            folders[old].move(folders[new])
            self.passages.put(new)
            self.passages.drop(old)
            if self._current_name() == old:
                self.set_current(new)
            return self.get(new)

    def tag(self, name: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> SavedDocument:
        """Add and remove tags of a document; the later versions of it keep them.

        Raises:
            DocumentNotFoundError: there is no finished document of that name.
            UsageError: what is to be added cannot be a tag.
        """
        added = set(add)
        for tag in sorted(added):
            check_tag(tag)
        with self._changing(name):
            saved = self.get(name)
            return write_tags(saved, (set(saved.tags) | added) - set(remove))

    def set_source(self, name: str, source: str) -> SavedDocument:
        """Say that a document is from `source`, an absolute path: its file was moved.

        Raises:
            DocumentNotFoundError: there is no finished document of that name.
        """
        with self._changing(name):
            return write_source(self.get(name), source)

    def _check_staged(self, staged: SavedDocument, header: StateHeader) -> None:
        assert header.document_sha256 == staged.sha256, "a state of another text"
        if self._staged(staged.name) != staged:
            raise DmdocError(f"another ingest of {staged.name!r} took the place of this one; run it again")

    def _folders(self, name: str) -> DocumentFolders:
        check_name(name)
        return DocumentFolders(self._documents, name)

    def _is_finished(self, name: str) -> bool:
        folders = DocumentFolders(self._documents, name)
        return any(is_saved_document(folder) for folder in folders.finished)

    def _surveyed(self, name: str) -> SavedDocument | Damaged | None:
        """None: nothing is finished under this name, or it was removed since it was listed."""
        saved = None
        try:
            saved = self._finished(name)
            if saved is not None:
                saved.header()
        except DmdocError as error:
            return Damaged(name, error, None if saved is None else saved.tags)
        return saved

    def _finished(self, name: str) -> SavedDocument | None:
        """
        Raises:
            DmdocError: what is there is damaged.
        """
        folders = self._folders(name)
        for folder in folders.finished:
            with suppress(FileNotFoundError):
                return read_saved_document(name, folder)
        if folders.home.is_dir():
            raise DmdocError(
                f"{folders.home} holds no document.json; `dmdoc rm` the document and ingest its source again"
            )
        return None

    def _staged(self, name: str) -> SavedDocument | None:
        """What is being ingested. A damaged one is none: its ingest begins again."""
        staging = self._folders(name).staging
        with suppress(FileNotFoundError, DmdocError):
            return read_saved_document(name, staging)
        return None

    def _is_staged(self, document: Document) -> bool:
        """Whether this text from this source is staged, and whole."""
        staged = self._staged(document.name)
        if staged is None or (staged.source, staged.sha256) != (document.source, document.sha256):
            return False
        try:
            return staged.pages() == document.pages
        except DmdocError:
            return False

    def _current_name(self) -> str | None:
        """None too where what says it is damaged: the next ingest says it anew."""
        with suppress(FileNotFoundError, DmdocError):
            return str(read_record(self._current)[0]["name"])
        with _explained(self.root), suppress(FileNotFoundError, ValueError):
            name = self._current.read_text(encoding="utf-8").strip()  # as dmdoc 0.1.0 wrote it
            return name if is_name(name) else None
        return None

    @contextmanager
    def _changing(self, name: str) -> Iterator[DocumentFolders]:
        """Hold the lock, with everything in its place."""
        folders = self._folders(name)
        with self.lock(name), _explained(self.root):
            folders.settle()
            yield folders

    def _lock_file(self, stem: str) -> "BaseFileLock":
        from filelock import FileLock

        locks = self.root / "locks"
        for folder in (self.root, self._documents, locks):
            # What people read is private; the XDG base directory specification asks for 0700.
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._locks.setdefault(stem, FileLock(locks / f"{stem}.lock", mode=PRIVATE))

    def _why_missing(self, name: str) -> str:
        staged = self._staged(name)
        if staged is not None:
            return f"{name!r} has no finished state: its ingest was interrupted; ingest it again to go on"
        close = difflib.get_close_matches(name, self.names(), n=1)
        guess = f"did you mean {close[0]!r}? " if close else ""
        return f"there is no saved document {name!r}; {guess}{self._what_to_do()}"

    def _what_to_do(self) -> str:
        names = self.names()
        if not names:
            return "the library is empty: save one with `dmdoc ingest FILE`"
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        return f"saved: {', '.join(names[:_LISTED])}{more}"


def _same_origin(saved: SavedDocument, document: Document) -> bool:
    """Standard input has no path to tell two documents apart: there, the same text is the same document."""
    if STDIN in (saved.source, document.source):
        return saved.sha256 == document.sha256
    return saved.source == document.source


@contextmanager
def _explained(root: Path) -> Iterator[None]:
    """What the disk refused, as an error that a user can act on."""
    try:
        yield
    except OSError as error:
        raise DmdocError(
            f"cannot use the library at {root}: {error.strerror or error}; check the folder and its disk, "
            "or set DMDOC_HOME to another folder"
        ) from error
