"""A change of several steps that is made whole or not at all, whenever its process is killed.

    root/journal    the change that is being made, while it is being made

Once the journal is on the disk the change is as good as made: whoever finds it there carries it out to the end. Each
step may be taken again. Knows nothing about what is in the folders that it moves.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dmdoc.atomic_file import sync_folder
from dmdoc.errors import DmdocError
from dmdoc.library.locks import Locks
from dmdoc.library.record import read_record, write_record
from dmdoc.library.saved_document import DESCRIPTION

_LOCK = ".journal"


@dataclass(frozen=True)
class Change:
    """Folders to rename, in this order, a description to write, and the document that is current afterwards."""

    moves: tuple[tuple[str, str], ...]
    """Entries of `documents`: from, to. One whose source is gone or whose target is there was made already."""
    names: tuple[str, ...]
    """The documents that it is about."""
    current: str | None
    """What is current instead, if it was one of these; None is no document."""
    always: bool = False
    """Whether that is current whatever was before."""
    description: tuple[str, dict[str, Any]] | None = None
    """A document, and what its description says afterwards."""


class Journal:
    """
    Args:
        settled: hears the documents that a change was about, once it is made.

    Every method may raise OSError.
    """

    def __init__(self, root: Path, locks: Locks, settled: Callable[[Sequence[str]], None]) -> None:
        self._root = root
        self._file = root / "journal"
        self._locks = locks
        self._settled = settled

    def make(self, change: Change) -> None:
        """Make a change; the caller holds the names that it is about."""
        with self._locks.hold(_LOCK):
            self._finish()
            write_record(self._file, asdict(change))
            self._carry_out(change)

    def set_current(self, name: str) -> None:
        """Make a document the current one."""
        with self._locks.hold(_LOCK):
            self._finish()
            write_current(self._root, name)

    def finish(self) -> None:
        """Carry a killed process's change out to the end."""
        if self._file.exists():
            with self._locks.hold(_LOCK):
                self._finish()

    def _finish(self) -> None:
        try:
            record, _ = read_record(self._file)
            moves = tuple((_entry(source), _entry(target)) for source, target in record["moves"])
            names = tuple(map(_entry, record["names"]))
            change = Change(moves, names, record["current"], record["always"], _description(record))
        except FileNotFoundError:
            return
        except (DmdocError, KeyError, TypeError, ValueError):
            self._file.unlink()  # damaged: every folder is whole, wherever it is
            return
        self._carry_out(change)

    def _carry_out(self, change: Change) -> None:
        documents = self._root / "documents"
        for source, target in change.moves:
            if (documents / source).exists() and not (documents / target).exists():
                os.rename(documents / source, documents / target)
        sync_folder(documents)
        if change.description is not None:
            name, described = change.description
            with suppress(FileNotFoundError):  # somebody removed it by hand
                write_record(documents / name / DESCRIPTION, described)
        if change.always or read_current(self._root) in change.names:
            write_current(self._root, change.current)
        if change.moves:
            self._settled(change.names)
        self._file.unlink()
        sync_folder(self._root)


def read_current(root: Path) -> str | None:
    """The name of the current document, which need not exist; None too where what says it is damaged.

    Raises:
        OSError: it cannot be read.
    """
    file = root / "current"
    with suppress(FileNotFoundError, DmdocError, KeyError):
        return str(read_record(file)[0]["name"])
    with suppress(FileNotFoundError, ValueError):
        return file.read_text(encoding="utf-8").strip()  # as dmdoc 0.1.0 wrote it
    return None


def write_current(root: Path, name: str | None) -> None:
    """
    Raises:
        OSError: it cannot be written.
    """
    if name is None:
        (root / "current").unlink(missing_ok=True)
    elif read_current(root) != name:
        write_record(root / "current", {"name": name})


def _description(record: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """
    Raises:
        KeyError, TypeError, ValueError: there is none that can be written.
    """
    given = record.get("description")  # no journal of dmdoc 0.1.0 has one
    if given is None:
        return None
    name, described = given
    return _entry(name), dict(described)


def _entry(name: object) -> str:
    """
    Raises:
        ValueError: it is not a name in a folder.
    """
    if not isinstance(name, str) or Path(name).name != name or name in ("", ".", ".."):
        raise ValueError("not the name of an entry")
    return name
