"""Who is changing what: a lock file for each name that is being changed, and none besides.

Whoever releases a lock removes its file first, so that a file that nobody holds was left by a killed process: what
that one was about can then be put right. Knows nothing about documents.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dmdoc.atomic_file import PRIVATE

if TYPE_CHECKING:
    from filelock import BaseFileLock

PATIENCE = 1.0
"""Seconds of waiting after which it is told."""

_SUFFIX = ".lock"

OnWait = Callable[[str, int | None], None]
"""Hears of a name that another process holds, and the number of that process if it is known."""


class Locks:
    """The locks in one folder. A process that holds one may take it again.

    Every method may raise OSError.
    """

    def __init__(self, folder: Path, on_wait: OnWait | None = None) -> None:
        self._folder = folder
        self._on_wait = on_wait
        self._locks: dict[str, BaseFileLock] = {}  # one object a name, so that its holder may lock again

    @contextmanager
    def hold(self, name: str, note: str = "") -> Iterator[None]:
        """Be the only one who holds a name: wait for whoever does now.

        Args:
            note: what `abandoned` is to tell of it, should this process be killed.
        """
        lock = self._lock(name)
        self._wait(lock, name)
        try:
            if lock.lock_counter == 1:
                record = {"process": os.getpid(), "note": note}
                Path(lock.lock_file).write_text(json.dumps(record), encoding="ascii")
            yield
        finally:
            self._release(lock, name)

    def abandoned(self) -> Iterator[tuple[str, str]]:
        """Names that killed processes held, each with its note, and held while the caller looks at it."""
        with suppress(FileNotFoundError):
            for entry in sorted(os.listdir(self._folder)):
                from filelock import Timeout  # mostly there is none, and this takes long to import

                name = entry.removesuffix(_SUFFIX)
                lock = self._lock(name)
                with suppress(Timeout):
                    lock.acquire(blocking=False)
                    try:
                        yield name, str(self._read(name).get("note", ""))
                    finally:
                        self._release(lock, name)

    def _lock(self, name: str) -> "BaseFileLock":
        from filelock import FileLock

        return self._locks.setdefault(name, FileLock(self._folder / f"{name}{_SUFFIX}", mode=PRIVATE))

    def _wait(self, lock: "BaseFileLock", name: str) -> None:
        from filelock import Timeout

        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            if self._on_wait is not None:
                holder = self._read(name).get("process")
                self._on_wait(name, holder if type(holder) is int else None)
            lock.acquire()

    def _release(self, lock: "BaseFileLock", name: str) -> None:
        try:
            if lock.lock_counter == 1:
                # Who waits for this file finds it gone, and begins again. Windows lets nobody remove it.
                with suppress(OSError):
                    os.unlink(lock.lock_file)
        finally:
            lock.release()

    def _read(self, name: str) -> dict[str, object]:
        """What the holder of a name wrote; nothing where dmdoc 0.1.0 was the holder."""
        with suppress(OSError, ValueError):
            found = json.loads((self._folder / f"{name}{_SUFFIX}").read_text(encoding="ascii"))
            if isinstance(found, dict):
                return found
        return {}
