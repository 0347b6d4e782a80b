"""Which passages of all saved documents share the words of a question: an index in SQLite's FTS5, ranked by BM25.

    root/passages.sqlite    of every document its passages (text/passages.py), their words reduced to stems

The folders of the documents are what is true. The index is written with each document and compared with the folders
before every search: what a killed process or a copied folder left is mended then, a damaged index is made anew, and
where none can be written there is one in memory. A document that cannot be read has no passages. Knows nothing about
models or states.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dmdoc.document import slug
from dmdoc.errors import DmdocError
from dmdoc.library.document_folders import DocumentFolders, names_in
from dmdoc.library.index_file import IndexFile
from dmdoc.library.saved_document import read_saved_document
from dmdoc.text.passages import split_passages
from dmdoc.text.words import split_words, telling_words, words_query

VERSION = 2
"""Of the tables; an index of another version is made anew."""

NAME_WEIGHT = 0.5
"""What a word of a document's name counts beside one of its text: people ask for "the lease"."""

TITLE_WORDS = 12
"""Of its first line; the words of a longer one are no title."""

_SETTLED_NS = 2_000_000_000
"""A folder that was changed less than so long ago may change once more without another time of change."""

_BITS = 24
"""A passage's row is its document's number, and in so many bits its own."""

_TABLES = {
    "folder": "CREATE TABLE folder (stamp TEXT NOT NULL)",
    "documents": "CREATE TABLE documents (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL)",
    "passages": "CREATE VIRTUAL TABLE passages USING fts5 (words, name, title, page UNINDEXED, start UNINDEXED, "
    "stop UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2')",
}


@dataclass(frozen=True)
class Found:
    """A passage that shares words with what was sought."""

    document: str
    page: int
    """Counted from 1."""
    start: int
    end: int
    """Where it stands in the text of its page, in characters."""
    score: float
    """BM25, above 0; the better the higher. Comparable within one search alone."""


class PassageIndex:
    """The index of the library under a root folder.

    Methods that change it do nothing where the index cannot be written: the next search makes up for it.
    """

    def __init__(self, root: Path) -> None:
        self._documents = root / "documents"
        self._file = IndexFile(root / "passages.sqlite", VERSION, _TABLES)

    def put(self, name: str) -> None:
        """Take up a document, in place of what the index has of that name."""
        self._change(name)

    def drop(self, *names: str) -> None:
        """Forget documents; nothing of their text stays in the file."""
        self._change(*names, scrub=True)

    def search(
        self, sought: str, names: Sequence[str] | None = None, *, most: int = 50, whole: bool = False
    ) -> list[Found]:
        """The passages that share the most telling words with what is sought, the best first.

        Args:
            names: only of these documents.
            most: how many.
            whole: documents as a whole are sought, by their names and titles alone: "the lease".

        Raises:
            DmdocError: another process has been writing the index for a minute.
        """
        query = words_query(telling_words(sought) or split_words(sought))
        if not query:
            return []

        def look(index: sqlite3.Connection) -> list[Found]:
            _update(index, self._documents)
            return _best(index, query, names, most, whole=whole)

        return self._file.look(look)

    def find(self, sought: str, *, whole: bool = False) -> tuple[Found | None, int]:
        """The best passage of all documents, as `search` finds it, and how many documents there are.

        No folder is listed for that, unless one came or went.

        Raises:
            DmdocError: as `search`.
        """
        query = words_query(telling_words(sought) or split_words(sought))

        def look(index: sqlite3.Connection) -> tuple[Found | None, int]:
            _update(index, self._documents)
            (count,) = index.execute("SELECT count(*) FROM documents").fetchone()
            best = _best(index, query, None, 1, whole=whole) if query else []
            return next(iter(best), None), count

        return self._file.look(look)

    def _change(self, *names: str, scrub: bool = False) -> None:
        def change(index: sqlite3.Connection) -> None:
            for name in names:
                _replace(index, self._documents, name)
            if scrub:
                _scrub(index)

        self._file.change(change)


def _best(
    index: sqlite3.Connection, query: str, names: Sequence[str] | None, most: int, *, whole: bool
) -> list[Found]:
    within = ""
    if names is not None and not _all_are_in(index, names):
        index.execute("CREATE TEMP TABLE chosen (id INTEGER PRIMARY KEY)")
        rows = [(name,) for name in names]
        index.executemany("INSERT INTO chosen SELECT id FROM documents WHERE name = ?", rows)
        within = f"AND passages.rowid >> {_BITS} IN (SELECT id FROM chosen)"
    query = f"{{{'name title' if whole else 'words name'}}} : ({query})"
    best = index.execute(
        "SELECT documents.name, page, start, stop, -score FROM (SELECT rowid AS number, page, start, stop, "
        f"bm25(passages, 1.0, {NAME_WEIGHT}, 1.0) AS score FROM passages WHERE passages MATCH ? {within} "
        f"ORDER BY score LIMIT ?) JOIN documents ON documents.id = number >> {_BITS} ORDER BY score",
        (query, most),
    )
    return [Found(*row) for row in best]


def _all_are_in(index: sqlite3.Connection, names: Sequence[str]) -> bool:
    """Whether the index has no other documents than these: to look for each passage's takes longer than to rank it."""
    (count,) = index.execute("SELECT count(*) FROM documents").fetchone()
    chosen = set(names)
    return count <= len(chosen) and all(
        name in chosen for (name,) in index.execute("SELECT name FROM documents")
    )


def _update(index: sqlite3.Connection, documents: Path) -> None:
    """Make the index agree with the folders; looks at them one by one only if their parent was changed since."""
    stamp = _settled_stamp(documents)
    if stamp is not None and index.execute("SELECT stamp FROM folder").fetchone() == (stamp,):
        return
    known = dict(index.execute("SELECT name, stamp FROM documents"))
    names = (name for name in names_in(documents) if slug(name) == name)
    there = {name: own for name in names if (own := _stamp(documents, name)) is not None}
    changed = [name for name in known.keys() | there.keys() if known.get(name) != there.get(name)]
    if not changed and stamp is None:
        return
    with index:
        index.execute("BEGIN IMMEDIATE")
        for name in changed:
            _replace(index, documents, name)
        if known.keys() - there.keys():
            _scrub(index)
        index.execute("DELETE FROM folder")
        if stamp is not None:
            index.execute("INSERT INTO folder VALUES (?)", (stamp,))


def _scrub(index: sqlite3.Connection) -> None:
    """Let the words of deleted passages leave the file, which FTS5 only marks as gone."""
    index.execute("INSERT INTO passages (passages) VALUES ('optimize')")


def _replace(index: sqlite3.Connection, documents: Path, name: str) -> None:
    """Take up what the folder of a name holds now, which may be nothing."""
    stamp = _stamp(documents, name)
    found = index.execute("SELECT id, stamp FROM documents WHERE name = ?", (name,)).fetchone()
    if found is not None:
        number, known = found
        if known == stamp:
            return
        first, last = number << _BITS, ((number + 1) << _BITS) - 1
        index.execute("DELETE FROM passages WHERE rowid BETWEEN ? AND ?", (first, last))
        index.execute("DELETE FROM documents WHERE id = ?", (number,))
    if stamp is None:
        return
    number = index.execute("INSERT INTO documents (name, stamp) VALUES (?, ?)", (name, stamp)).lastrowid
    assert number is not None
    found = list(_passages(documents, name))
    called, title = " ".join(split_words(name)), " ".join(_title(found[0][1]) if found else ())
    rows = (
        (number << _BITS | row, " ".join(split_words(page[start:end])), called, title, place, start, end)
        for row, (place, page, start, end) in enumerate(found)
    )
    index.executemany(
        "INSERT INTO passages (rowid, words, name, title, page, start, stop) VALUES (?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def _title(page: str) -> list[str]:
    """The words of the line that a text begins with, if they are few and no sentence."""
    line = page.lstrip().partition("\n")[0].rstrip()
    words = split_words(line)
    return words if len(words) <= TITLE_WORDS and not line.endswith((".", "!", "?")) else []


def _passages(documents: Path, name: str) -> Iterator[tuple[int, str, int, int]]:
    """Page number, page, start and end of each passage; none of a document that cannot be read."""
    pages: Sequence[str] = ()
    for folder in DocumentFolders(documents, name).finished:
        with suppress(FileNotFoundError, DmdocError):
            pages = read_saved_document(name, folder).pages()
            break
    for number, page in enumerate(pages, 1):
        for start, end in split_passages(page):
            yield number, page, start, end


def _stamp(documents: Path, name: str) -> str | None:
    """What tells one version of a document from another; None where there is no finished one."""
    for folder in DocumentFolders(documents, name).finished:
        with suppress(OSError):
            found = os.stat(folder / "pages.json")
            return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"
    return None


def _settled_stamp(documents: Path) -> str | None:
    """What tells whether documents came, went or were replaced; None where that happened just now."""
    try:
        found = os.stat(documents)
    except FileNotFoundError:
        return None
    # Renaming a folder in it changes this time, at the resolution of the file system's clock.
    if time.time_ns() - found.st_mtime_ns < _SETTLED_NS:
        return None
    return f"{found.st_ino} {found.st_mtime_ns}"
