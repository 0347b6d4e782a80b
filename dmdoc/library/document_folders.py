"""The folders of one document's name, and how one is replaced without ever leaving a mix.

    NAME/            the finished document: always complete
    .staging-NAME/   the document that is being ingested
    .old-NAME/       the replaced one, between the two renames of `publish`
    .removed-NAME/   a folder on its way out

`publish` renames NAME to .old-NAME, then .staging-NAME to NAME. Readers need no lock: they look for NAME, and
for .old-NAME between the two. What a killed process left, `settle` puts back: whoever changes a name calls
it first, holding the name's lock. Knows nothing about what is in the folders.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dmdoc.atomic_file import sync_folder

_STAGING, _OLD = ".staging-", ".old-"


@dataclass(frozen=True)
class DocumentFolders:
    """Paths only; every method but the properties and `finished` changes the disk and may raise OSError."""

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
    def removed(self) -> Path:
        return self.documents / f".removed-{self.name}"

    @property
    def finished(self) -> tuple[Path, ...]:
        """Where a reader looks, in this order: home again at the end, for a swap that ended in between."""
        return (self.home, self.old, self.home)

    @property
    def used(self) -> bool:
        return self.home.exists() or self.staging.exists()

    def settle(self) -> None:
        """Put back, or clear away, what a process that was killed in `publish` or `discard` left."""
        if self.old.exists() and not self.home.exists():
            os.rename(self.old, self.home)
        self.discard(self.old)

    def stage(self) -> Path:
        """An empty staging folder, in place of what was in it."""
        self.discard(self.staging)
        self.staging.mkdir(mode=0o700)
        return self.staging

    def publish(self) -> None:
        """Make the staged document the finished one."""
        if self.home.exists():
            os.rename(self.home, self.old)
        os.rename(self.staging, self.home)
        sync_folder(self.documents)
        self.discard(self.old)

    def discard(self, folder: Path) -> None:
        """Remove a folder in one step, as far as anyone who looks for it can tell."""
        if self.removed.exists():
            shutil.rmtree(self.removed)
        if folder.exists():
            os.rename(folder, self.removed)
            shutil.rmtree(self.removed)

    def move(self, target: "DocumentFolders") -> None:
        """Rename the document and what is staged for it."""
        if self.staging.exists():
            os.rename(self.staging, target.staging)
        os.rename(self.home, target.home)
        sync_folder(self.documents)


def names_in(documents: Path) -> set[str]:
    """Every name that has a folder, finished or being ingested.

    Looking for all kinds matters: while a listing is used, `publish` turns one kind into another.

    Raises:
        OSError: the folder exists and cannot be read.
    """
    with suppress(FileNotFoundError):
        entries = {entry.removeprefix(_STAGING).removeprefix(_OLD) for entry in os.listdir(documents)}
        return {name for name in entries if not name.startswith(".")}
    return set()
