"""What a source was like when it was read, so that it can be told later whether it has changed.

A file is hashed only where its time differs and its size does not.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Change = Literal["unchanged", "changed", "gone"]


@dataclass(frozen=True)
class Stamp:
    """A file as it was."""

    size: int
    """Bytes."""
    mtime_ns: int
    sha256: str
    """Of its bytes."""

    def change(self, path: str) -> Change:
        """What has become of the file at `path` since."""
        try:
            found = os.stat(path)
            if found.st_size != self.size:
                return "changed"
            if found.st_mtime_ns == self.mtime_ns:
                return "unchanged"
            with open(path, "rb") as file:
                same = hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
            return "unchanged" if same else "changed"
        except OSError:
            return "gone"


@dataclass(frozen=True)
class WebStamp:
    """What is at a URL as it was, in the words of its server; "" for what it did not say."""

    etag: str
    last_modified: str

    def change(self, _: str) -> None:
        """Only the server can tell."""
        return None


def read_stamp(record: dict[str, Any] | None) -> Stamp | WebStamp | None:
    """The stamp that `asdict` made a record of.

    Raises:
        TypeError: it is the record of something else.
    """
    if not record:
        return None
    return WebStamp(**record) if "etag" in record else Stamp(**record)


def stamp(path: Path, data: bytes) -> Stamp | None:
    """The stamp of a file that held `data`; None if it is no longer so long."""
    try:
        found = path.stat()
    except OSError:
        return None
    if found.st_size != len(data):
        return None
    return Stamp(len(data), found.st_mtime_ns, hashlib.sha256(data).hexdigest())
