"""Which files are to be read, and under which name each is saved.

Folders and lists stand for files. A document keeps the name that it has; a new one is called as its file is, with as
many of its folders in front as it takes to tell it from the others.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from dmdoc.document import STDIN, Document, bare_source, full_source, slug
from dmdoc.errors import DmdocError, UsageError
from dmdoc.ingest.ignored import files_in
from dmdoc.library.library import Library


def listed_files(data: bytes, *, null: bool) -> list[str]:
    """The paths in a list of them, one a line or, with `null`, each ended by a NUL as `find -print0` does.

    Raises:
        UsageError: it is a list with NULs, and `null` is not set.
    """
    if not null and b"\0" in data:
        raise UsageError("the files of the list end with NUL, not with their line; pass -0 for such a list")
    # What a file is called need not be UTF-8.
    return [os.fsdecode(path) for path in (data.split(b"\0") if null else data.splitlines()) if path]


def expand(paths: Iterable[str], patterns: Sequence[str] = (), *, ignored: bool = False) -> list[str]:
    """Files as they are and, for a folder, those in it and below (ignored.py), sorted; each once.

    Args:
        patterns: of the files in folders, such as `*.md` or `reports/*.pdf`; all of them if there are none.
        ignored: of folders, also the files that Git ignores, and those in `node_modules`.
    """
    found: dict[str, str] = {}
    for path in paths:
        inside = _inside(Path(path), patterns, ignored) if path != STDIN and os.path.isdir(path) else [path]
        for each in inside:
            found.setdefault(full_source(each), each)
    return list(found.values())


def _inside(folder: Path, patterns: Sequence[str], ignored: bool) -> Iterator[str]:
    for path in files_in(folder, ignored=ignored):
        if not patterns or any(map(path.relative_to(folder).match, patterns)):
            yield str(path)


class Names:
    """The names of the documents of one run; no two sources get the same, not in runs at the same time either."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._sources = library.sources()

    def named(self, document: Document) -> Document:
        """The document under the name that it has in the library, or under a free one."""
        known = (name for name, source in self._sources.items() if source == document.source != STDIN)
        name = next(known, None) or next(self._imported(document), None)
        if name is None:
            free = (name for name in _candidates(document) if self._is_free(name, document))
            name = next(free, document.name)
        self._sources[name] = document.source
        return replace(document, name=name)

    def _imported(self, document: Document) -> Iterator[str]:
        """The names under which the same text was imported from a file that was called as this one is."""
        for name, source in self._sources.items():
            if source == bare_source(document.source) != document.source:
                with suppress(DmdocError):
                    if self._library.get(name).sha256 == document.sha256:
                        yield name

    def _is_free(self, name: str, document: Document) -> bool:
        """Whether the name is this document's, which it then is for every other run too."""
        if self._sources.get(name, document.source) != document.source:
            return False
        try:
            self._library.claim(replace(document, name=name))
        except UsageError:
            return False  # another run gave it away since this one began
        return True


def known_page(url: str, library: Library, name: str | None = None) -> Document | None:
    """What was read from a URL before, under its name or `name`; None if it is not saved, or is damaged."""
    saved = next((saved for saved in library.documents() if saved.source == full_source(url)), None)
    if saved is None:
        return None
    try:
        return Document(name or saved.name, saved.source, saved.pages(), file=saved.file)
    except DmdocError:
        return None


def _candidates(document: Document) -> Iterator[str]:
    """The document's own name, then with more and more folders in front, then with a hash of its path."""
    yield document.name
    if document.source == STDIN:
        return
    folders: list[str] = []
    for parent in Path(document.source).parents:
        folders.insert(0, parent.name)
        if name := slug("-".join([*folders, document.name])):
            yield name
    yield slug(f"{document.name[:80]}-{hashlib.sha256(os.fsencode(document.source)).hexdigest()[:8]}")
