"""An SQLite file made from what is true elsewhere: private, and made anew where it is damaged or of another kind.

Where no file can be had, the index is in memory for as long as it is looked at. Knows nothing about what is in it.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dmdoc.errors import DmdocError

WAIT_SECONDS = 60
"""For another process that is writing it."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class IndexFile:
    """Where an index is, and of what tables."""

    path: Path
    version: int
    """Of the tables; a file of another version is made anew."""
    tables: dict[str, str]
    """By name, what creates them."""
    wait_seconds: float = WAIT_SECONDS

    def change(self, change: Callable[[sqlite3.Connection], None]) -> None:
        """Make a change, whole or not at all. Where the file cannot be written, nothing is done."""
        with suppress(sqlite3.Error, OSError), closing(self._opened()) as index, index:
            index.execute("BEGIN IMMEDIATE")
            change(index)

    def look(self, look: Callable[[sqlite3.Connection], Result]) -> Result:
        """Look into the index, and bring it up to date, which is for the caller to do.

        Raises:
            DmdocError: another process has been writing it all the time that is waited for it.
        """
        for attempt in ("file", "new file"):
            try:
                if attempt == "new file":
                    self._remove()
                with closing(self._opened()) as index:
                    return look(index)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise DmdocError(
                        f"another process is writing the index {self.path}; run the command again later"
                    ) from error
            except sqlite3.DatabaseError:
                pass  # damaged
            except OSError:
                break
        with closing(self._connected(":memory:")) as index:
            return look(index)

    def _opened(self) -> sqlite3.Connection:
        """
        Raises:
            OSError, sqlite3.Error: it cannot be opened, or is damaged.
        """
        # SQLite gives the files beside it the same mode: what people read is private.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        return self._connected(str(self.path))

    def _connected(self, where: str) -> sqlite3.Connection:
        index = sqlite3.connect(where, timeout=self.wait_seconds, isolation_level=None)
        try:
            index.execute("PRAGMA journal_mode = WAL")
            index.execute("PRAGMA synchronous = NORMAL")
            index.execute("PRAGMA secure_delete = ON")
            if index.execute("PRAGMA user_version").fetchone()[0] != self.version:
                self._create(index)
        except BaseException:
            index.close()
            raise
        return index

    def _create(self, index: sqlite3.Connection) -> None:
        with index:
            index.execute("BEGIN IMMEDIATE")
            if index.execute("PRAGMA user_version").fetchone()[0] == self.version:
                return  # another process was first
            for name, statement in self.tables.items():
                index.execute(f"DROP TABLE IF EXISTS {name}")
                index.execute(statement)
            index.execute(f"PRAGMA user_version = {self.version}")

    def _remove(self) -> None:
        for end in ("-wal", "-shm", ""):
            self.path.with_name(f"{self.path.name}{end}").unlink(missing_ok=True)
