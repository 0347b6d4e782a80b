"""What makes a library equal to folders of files again: which files are new, changed or moved, and which are gone.

A document belongs to a folder if the file that it was read from lies in it or below. What was imported, or came from
standard input, belongs to none. Knows nothing about models, terminals or options.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dmdoc.document import Document, slug
from dmdoc.errors import DmdocError, UsageError
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument

SETTLED = 0.3
"""Seconds for which a file must not have changed before it is read: others may still be writing it."""


@dataclass(frozen=True)
class Move:
    """A file that was moved or renamed: the same text elsewhere, where the old file is gone."""

    saved: SavedDocument
    source: str
    """The absolute path of the file now."""


@dataclass(frozen=True)
class Differences:
    """What differs between files and the library; the files of `failed` cannot be read, and are left as they are."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    moved: tuple[Move, ...] = ()
    gone: tuple[SavedDocument, ...] = ()
    """Documents whose file no longer exists."""
    failed: dict[str, DmdocError] = field(default_factory=dict)
    unchanged: int = 0

    @property
    def to_read(self) -> tuple[str, ...]:
        return (*self.added, *self.changed)

    @property
    def any(self) -> bool:
        return bool(self.to_read or self.moved or self.gone or self.failed)


def differences(
    files: Iterable[str], folders: Sequence[str], library: Library, read: Callable[[str], Document]
) -> Differences:
    """Hold files against the documents that belong to `folders`.

    Args:
        files: those in the folders that are to be read, as `sources.expand` gives them.
        read: makes a document of a file, under any name.
    """
    saved = _belonging(folders, library)
    found: dict[str, str] = {}
    failed: dict[str, DmdocError] = {}
    for file in files:
        wait_until_settled(file)
        try:
            found[file] = read(file).sha256
        except DmdocError as error:
            failed[file] = error
    before = {file: saved.get(os.path.abspath(file)) for file in found}
    new = [file for file, document in before.items() if document is None]
    changed = [
        file for file, document in before.items() if document is not None and document.sha256 != found[file]
    ]
    gone = {source: document for source, document in saved.items() if not os.path.lexists(source)}
    moved = []
    for file in new:
        same = next((source for source in gone if gone[source].sha256 == found[file]), None)
        if same is not None:
            moved.append(Move(gone.pop(same), os.path.abspath(file)))
    places = {move.source for move in moved}
    added = [file for file in new if os.path.abspath(file) not in places]
    same_text = len(found) - len(new) - len(changed)
    return Differences(
        tuple(added), tuple(changed), tuple(moved), tuple(gone.values()), failed, unchanged=same_text
    )


def follow(move: Move, library: Library) -> SavedDocument:
    """Let a document be from where its file is now; one that was called as its file was is called so again.

    Raises:
        DmdocError: the document was replaced or removed meanwhile.
    """
    old, name = move.saved.name, slug(Path(move.source).stem)
    if name and old != name and old == slug(Path(move.saved.source).stem):
        with suppress(UsageError):  # the new name is another document's
            return library.rename(old, name, source=move.source)
    return library.set_source(old, move.source)


def wait_until_settled(file: str) -> None:
    """Wait while somebody is writing a file, for a few seconds at most."""
    for _ in range(20):
        try:
            age = time.time() - os.stat(file).st_mtime
        except OSError:
            return
        if not 0 <= age < SETTLED:
            return
        time.sleep(SETTLED - age)


def _belonging(folders: Sequence[str], library: Library) -> dict[str, SavedDocument]:
    """The documents that were read from files in these folders, by the absolute path of the file."""
    inside = [os.path.join(os.path.abspath(folder), "") for folder in folders]
    return {
        saved.source: saved
        for saved in library.documents()
        if any(saved.source.startswith(folder) for folder in inside)
    }
