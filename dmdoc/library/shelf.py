"""Looking up the saved documents under one root. Takes no lock and changes no document; library.py does that.

Knows nothing about models, tokens or how a state is computed.
"""

import difflib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dmdoc.document import STDIN, Document, bare_source, check_name, is_name, slug
from dmdoc.errors import DamagedError, DmdocError, DocumentNotFoundError, UsageError
from dmdoc.library.catalogue import Catalogue
from dmdoc.library.document_folders import DocumentFolders, names_in
from dmdoc.library.journal import read_current
from dmdoc.library.saved_document import DESCRIPTION, SavedDocument, is_saved_document, read_saved_document

_LISTED = 10  # names an error message lists before it only counts


@dataclass(frozen=True)
class Damaged:
    """What lies where a document should, and cannot be used."""

    name: str
    error: DmdocError
    tags: tuple[str, ...] | None
    """None where they cannot be read."""


class Shelf:
    """All saved documents under one root folder, which need not exist.

    Every method raises UsageError for a name that cannot be one, and DmdocError when the disk says no.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._documents = root / "documents"
        self._catalogue = Catalogue(root)

    def names(self) -> tuple[str, ...]:
        """Every document with a finished state, sorted."""
        with explained(self.root):
            names = filter(is_name, names_in(self._documents))
            return tuple(sorted(filter(self._is_finished, names)))

    def survey(self) -> tuple[SavedDocument | Damaged, ...]:
        """Every document with a finished state, and what is damaged, sorted by name. One never hides the others."""
        with explained(self.root):
            names = sorted(names_in(self._documents))
        return self._catalogue.survey(names, self._surveyed)

    def documents(self) -> tuple[SavedDocument, ...]:
        """Every document with a finished state that can be used, sorted by name."""
        return tuple(found for found in self.survey() if isinstance(found, SavedDocument))

    def sources(self) -> dict[str, str]:
        """Every name that is taken, be its ingest finished or interrupted, and where that document is from.

        The source of a document that is too damaged to name it is "".
        """
        found: dict[str, str] = {}
        known = {saved.name: saved for saved in self.documents()}
        with explained(self.root):
            names = sorted(names_in(self._documents))
        for name in names:
            try:
                saved = known.get(name) or self._finished(name) or self._staged(name)
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
                f"give another name, or remove that document first"
            )
        if finished is None:
            return "new"
        # The states of an imported document are another's: once the file is here, they are its own.
        same = finished.sha256 == document.sha256 and not _is_imported(finished, document)
        return "unchanged" if same else "updated"

    def _folders(self, name: str) -> DocumentFolders:
        check_name(name)
        return DocumentFolders(self._documents, name)

    def _is_finished(self, name: str) -> bool:
        if os.path.isfile(
            f"{self._documents}/{name}/{DESCRIPTION}"
        ):  # without a Path, of which many take long
            return True
        folders = DocumentFolders(self._documents, name)
        return any(is_saved_document(folder) for folder in folders.finished)

    def _surveyed(self, name: str) -> SavedDocument | Damaged | None:
        """None: nothing is finished under this name, or it was removed since it was listed."""
        saved = None
        if not is_name(name):
            error = f"{self._documents / name} cannot be a document's folder"
            advice = f"rename it to {slug(name)!r} or remove it" if slug(name) else "rename or remove it"
            return Damaged(name, DmdocError(f"{error}; {advice}"), None)
        try:
            saved = self._finished(name)
            return None if saved is None else replace(saved, known_summary=saved.summary())
        except DmdocError as error:
            return Damaged(name, error, None if saved is None else saved.tags)

    def _finished(self, name: str) -> SavedDocument | None:
        """
        Raises:
            DmdocError: what is there is damaged.
        """
        folders = self._folders(name)
        for folder in folders.finished:
            with suppress(FileNotFoundError):
                return read_saved_document(name, folder)
        if folders.home.is_dir() and not is_saved_document(folders.home):
            raise DamagedError(
                f"{folders.home} holds no document.json; remove the document and read its source again"
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
        with explained(self.root):
            name = read_current(self.root)
        return name if name is not None and is_name(name) else None

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
            return "the library is empty: read a document first"
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        return f"saved: {', '.join(names[:_LISTED])}{more}"


def _same_origin(saved: SavedDocument, document: Document) -> bool:
    """Where no path tells two documents apart, of standard input and in bundles, the same text is the same document."""
    if STDIN in (saved.source, document.source) or _is_imported(saved, document):
        return saved.sha256 == document.sha256
    return saved.source == document.source


def _is_imported(saved: SavedDocument, document: Document) -> bool:
    """Whether a saved document came in a bundle, from a file that was called as that of `document` is."""
    return saved.source == bare_source(document.source) != document.source


@contextmanager
def explained(root: Path) -> Iterator[None]:
    """What the disk refused, as an error that a user can act on."""
    try:
        yield
    except OSError as error:
        raise DmdocError(
            f"cannot use the library at {root}: {error.strerror or error}; check the folder and its disk, "
            "or set DMDOC_HOME to another folder"
        ) from error
