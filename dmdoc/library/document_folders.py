"""The folders of one document's name, and how one is replaced without ever leaving a mix.

    NAME/             the finished document: always complete
    .staging-NAME/    the document that is being ingested
    .old-NAME/        the replaced one, while the new one takes its place
    .removed-NUMBER/  a folder on its way out

A document is replaced, renamed and removed by renaming folders, as one change of the journal (journal.py). Readers need
no lock: they look for NAME, and for .old-NAME between the two renames of a replacement. Knows nothing about what is in
the folders.
"""

import os
import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dmdoc.atomic_file import clear_temporary

Moves = tuple[tuple[str, str], ...]
"""Entries of `documents` to rename: from, to."""

_STAGING, _OLD, _REMOVED = ".staging-", ".old-", ".removed-"


@dataclass(frozen=True)
class DocumentFolders:
    """Paths only; the methods that change the disk may raise OSError."""

    documents: Path
    name: str

    @property
    def home(self) -> Path:
        return self.documents / self.name

    @property
    def staging(self) -> Path:
        return self.documents / f"{_STAGING}{self.name}"

    @property
    def old(self) -> Path:
        return self.documents / f"{_OLD}{self.name}"

    @property
    def finished(self) -> tuple[Path, ...]:
        """Where a reader looks, in this order: home again at the end, for a swap that ended in between."""
        return (self.home, self.old, self.home)

    @property
    def used(self) -> bool:
        return self.home.exists() or self.staging.exists()

    def settle(self) -> None:
        """Put back, or clear away, what a killed process left; the name and the journal are held."""
        if self.old.exists() and not self.home.exists():  # left by dmdoc 0.1.0, which had no journal
            os.rename(self.old, self.home)
        discard(self.old)
        for folder in (self.home, self.staging):
            with suppress(FileNotFoundError, NotADirectoryError):
                clear_temporary(folder)

    def stage(self) -> Path:
        """An empty staging folder, in place of what was in it."""
        discard(self.staging)
        self.staging.mkdir(mode=0o700)
        return self.staging

    def publishing(self) -> Moves:
        """What makes the staged document the finished one; `old` is to be discarded afterwards."""
        replaced = ((self.home.name, self.old.name),) if self.home.exists() else ()
        return (*replaced, (self.staging.name, self.home.name))

    def removing(self) -> Moves:
        """What removes the document and what is staged for it; the rest is for `clear_removed`."""
        there = (folder for folder in (self.staging, self.home) if folder.exists())
        return tuple((folder.name, _unused()) for folder in there)

    def renaming(self, target: "DocumentFolders") -> Moves:
        """What gives the document, and what is staged for it, another name."""
        staged = ((self.staging.name, target.staging.name),) if self.staging.exists() else ()
        return (*staged, (self.home.name, target.home.name))


def discard(folder: Path) -> None:
    """Remove a folder in one step, as far as anyone who looks for it can tell."""
    if os.path.lexists(folder):
        removed = folder.with_name(_unused())
        os.rename(folder, removed)
        _delete(removed)


def clear_removed(documents: Path) -> None:
    """Delete what was on its way out, also what another process is deleting.

    Raises:
        OSError: it cannot be deleted.
    """
    with suppress(FileNotFoundError):
        for entry in os.listdir(documents):
            if entry.startswith(_REMOVED):
                _delete(documents / entry)


def names_in(documents: Path) -> set[str]:
    """Every name that has a folder, finished or being ingested.

    Looking for all kinds matters: while a listing is used, publishing turns one kind into another.

    Raises:
        OSError: the folder exists and cannot be read.
    """
    with suppress(FileNotFoundError):
        entries = {entry.removeprefix(_STAGING).removeprefix(_OLD) for entry in os.listdir(documents)}
        return {name for name in entries if not name.startswith(".")}
    return set()


def _unused() -> str:
    return f"{_REMOVED}{secrets.token_hex(8)}"


def _delete(path: Path) -> None:
    while os.path.lexists(path):
        with suppress(FileNotFoundError):  # another process deletes it too
            if path.is_symlink() or not path.is_dir():
                path.unlink()
            else:
                shutil.rmtree(path)
