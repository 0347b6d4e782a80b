"""What is known of every document at a glance: an index of the descriptions, so that a listing opens no document.

    root/catalogue.sqlite    of every whole document what document.json and the header of its state say

The folders are what is true. An entry counts for as long as both files are the ones it was made from, which is looked
up for every listing; what has changed is read again, and an entry that is damaged is none. Knows nothing about texts.
"""

import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from dmdoc.document import read_stamp
from dmdoc.errors import DmdocError
from dmdoc.library.index_file import IndexFile
from dmdoc.library.saved_document import DESCRIPTION, STATE, SavedDocument, Summary

VERSION = 1
"""Of the tables, and of what a record says; an index of another version is made anew."""

WAIT_SECONDS = 1
"""For another process that is writing it; then the folders are read."""

_TABLES = {
    "documents": "CREATE TABLE documents (name TEXT PRIMARY KEY, stamp TEXT NOT NULL, record TEXT NOT NULL, "
    "checksum INTEGER NOT NULL) WITHOUT ROWID"
}

Other = TypeVar("Other")
Row = tuple[str, str, str, int]


class Catalogue:
    """The index of the library under a root folder."""

    def __init__(self, root: Path) -> None:
        self._documents = root / "documents"
        self._file = IndexFile(root / "catalogue.sqlite", VERSION, _TABLES, WAIT_SECONDS)

    def survey(
        self, names: Iterable[str], read: Callable[[str], SavedDocument | Other | None]
    ) -> tuple[SavedDocument | Other, ...]:
        """Each of all documents that there are, as the index has it or, where it has none, as it is read.

        Args:
            read: None stands for a document that is not there, anything but a document for one that is damaged.
        """
        ordered = list(names)

        def look(index: sqlite3.Connection) -> tuple[SavedDocument | Other, ...]:
            known = {
                row[0]: row for row in index.execute("SELECT name, stamp, record, checksum FROM documents")
            }
            found: list[SavedDocument | Other] = []
            fresh: list[Row] = []
            for name in ordered:
                stamp = self._stamp(name)
                row = known.pop(name, None)
                each = None if row is None or row[1] != stamp else self._document(row)
                if each is not None:
                    found.append(each)
                    continue
                there = read(name)
                if there is not None:
                    found.append(there)
                if row is not None:
                    known[name] = row  # to be removed, unless it is replaced
                if stamp is not None and isinstance(there, SavedDocument):
                    fresh.append(_row(there, stamp))
            if known or fresh:
                with index:
                    index.execute("BEGIN IMMEDIATE")
                    index.executemany("DELETE FROM documents WHERE name = ?", [(name,) for name in known])
                    index.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)", fresh)
            return tuple(found)

        try:
            return self._file.look(look)
        except DmdocError:  # it is only a short cut
            return tuple(each for name in ordered if (each := read(name)) is not None)

    def put(self, name: str, read: Callable[[str], object]) -> None:
        """Take up a document, in place of what the index has of that name; forget it if it is not there."""
        stamp = self._stamp(name)
        there = None if stamp is None else read(name)

        def change(index: sqlite3.Connection) -> None:
            index.execute("DELETE FROM documents WHERE name = ?", (name,))
            if stamp is not None and isinstance(there, SavedDocument):
                index.execute("INSERT INTO documents VALUES (?, ?, ?, ?)", _row(there, stamp))

        self._file.change(change)

    def _stamp(self, name: str) -> str | None:
        """What tells one version of a document from another; None where there is no finished one."""
        stamps = []
        for file in (DESCRIPTION, STATE):
            try:
                found = os.stat(f"{self._documents}/{name}/{file}")
            except OSError:
                return None
            stamps.append(f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}")
        return " ".join(stamps)

    def _document(self, row: Row) -> SavedDocument | None:
        """The document of an entry; None if that is damaged."""
        name, stamp, record, checksum = row
        if _checksum(name, stamp, record) != checksum:
            return None
        values = json.loads(record)
        values["tags"] = tuple(values["tags"])
        values["file"] = read_stamp(values["file"])
        values["known_summary"] = Summary(**values["known_summary"])
        return SavedDocument(name=name, folder=self._documents / name, **values)


def _row(saved: SavedDocument, stamp: str) -> Row:
    values = asdict(replace(saved, known_summary=saved.summary()))
    del values["name"], values["folder"]
    record = json.dumps(values)
    return saved.name, stamp, record, _checksum(saved.name, stamp, record)


def _checksum(*texts: str) -> int:
    return zlib.crc32("\0".join(texts).encode())
