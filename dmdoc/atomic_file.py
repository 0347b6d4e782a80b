"""Replace a file without ever leaving half of one. Knows nothing about what the bytes mean."""

import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be unlinked
    fcntl = None  # type: ignore[assignment]

PRIVATE = 0o600
"""The mode of a file that only its owner reads."""


def write_atomically(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Replace a file so that a crash at any instant leaves the old content or the new, never part of either.

    The content goes to a temporary file beside it, which takes its place once it is on the disk. A symbolic link is
    never written through: not one that lies where the temporary file goes, nor one in place of the file. What a killed
    process left of such a file, the next write of the path clears away.

    Args:
        mode: of the file; that of the file it replaces if None, or what the umask leaves to a new one.

    Raises:
        OSError: the file cannot be written; what was there before is untouched.
    """
    clear_temporary(path.parent, path.name)
    descriptor, temporary = _open_temporary(path, 0o666 if mode is None else mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is None:
                with suppress(FileNotFoundError):
                    _keep_mode(descriptor, os.lstat(path))
            file.write(content)
            file.flush()
            os.fsync(descriptor)
            if os.name != "nt":  # while it is open, nobody clears it away
                os.replace(temporary, path)
        if os.name == "nt":  # where an open file cannot be renamed
            os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def clear_temporary(folder: Path, name: str | None = None) -> None:
    """Remove what processes that are no longer alive left of writing the file `name`, or any, in a folder.

    Raises:
        OSError: the folder cannot be read.
    """
    any_or_that = ".+" if name is None else re.escape(name)
    left = re.compile(rf"\.{any_or_that}(\.[0-9a-f]{{8}})?\.tmp")
    for entry in os.listdir(folder):
        if left.fullmatch(entry):
            _remove_unless_held(folder / entry)


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable. Windows cannot open a folder and needs no such call."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_temporary(path: Path, mode: int) -> tuple[int, Path]:
    """A new file beside `path`, open and locked for as long as it is open: a lock says that its writer is alive."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        if fcntl is None:
            return descriptor, temporary
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, temporary
        os.close(descriptor)  # another process took it for a dead one's before it was locked


def _keep_mode(descriptor: int, replaced: os.stat_result) -> None:
    if hasattr(os, "fchmod") and stat.S_ISREG(replaced.st_mode):
        os.fchmod(descriptor, stat.S_IMODE(replaced.st_mode))


def _remove_unless_held(path: Path) -> None:
    with suppress(OSError):
        if fcntl is None or path.is_symlink():
            path.unlink()
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(descriptor)
