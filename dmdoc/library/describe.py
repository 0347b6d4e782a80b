"""Writing the text and the description of a saved document (saved_document.py), with the hashes of its files.

Its folder is one that nobody else changes meanwhile. Knows nothing about other documents or locks.
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from dmdoc.document import Document, Stamp, WebStamp
from dmdoc.errors import DmdocError
from dmdoc.library.record import read_record, write_record
from dmdoc.library.saved_document import DESCRIPTION, PAGES, STATE, SavedDocument
from dmdoc.memory.state_header import StateHeader

_STAMPED = {Stamp: "file", WebStamp: "web"}
"""Where document.json says what the source was like; dmdoc 0.1.0 knows the first alone."""


def stage_document(folder: Path, document: Document, *, created: str) -> None:
    """Write a document's text and description into a folder; document.json last, to stand for both.

    Raises:
        OSError: the folder cannot be written.
    """
    content = write_record(folder / PAGES, {"pages": document.pages})
    _describe(
        SavedDocument(
            name=document.name,
            folder=folder,
            source=document.source,
            sha256=document.sha256,
            page_count=len(document.pages),
            characters=len(document.text),
            created=created,
            pages_sha256=hashlib.sha256(content).hexdigest(),
            file=document.file,
        )
    )


def complete(staged: SavedDocument, header: StateHeader, tags: Iterable[str]) -> None:
    """Bind a staged document to its finished state, whose header this is, and give it these tags.

    Raises:
        OSError: the folder cannot be written.
    """
    _describe(replace(staged, header_sha256=header.sha256, tags=tuple(sorted(set(tags)))))


def rewrite(saved: SavedDocument, changed: SavedDocument) -> SavedDocument:
    """Let a document's description say what `changed` says; nothing is written where it does.

    Raises:
        OSError: the folder cannot be written.
        DmdocError, StateFileError: as `bound`.
    """
    if changed == saved:
        return saved
    changed = bound(changed)
    _describe(changed)
    return changed


def bound(saved: SavedDocument) -> SavedDocument:
    """The document, bound to its files by their checksums.

    Raises:
        DmdocError, StateFileError: it has no checksums yet, and is damaged.
    """
    if saved.pages_sha256 is not None:
        return saved
    saved.pages()
    content = (saved.folder / PAGES).read_bytes()
    return replace(
        saved, pages_sha256=hashlib.sha256(content).hexdigest(), header_sha256=saved.header().sha256
    )


def description(saved: SavedDocument) -> dict[str, Any]:
    """What document.json says of a document."""
    files = {PAGES: saved.pages_sha256, STATE: saved.header_sha256}
    return {
        "source": saved.source,
        "sha256": saved.sha256,
        "pages": saved.page_count,
        "characters": saved.characters,
        "created": saved.created,
        "tags": saved.tags,
        "files": {name: sha256 for name, sha256 in files.items() if sha256 is not None},
        **({} if saved.file is None else {_STAMPED[type(saved.file)]: asdict(saved.file)}),
    }


def restore_document(saved: SavedDocument, pages: Sequence[str]) -> SavedDocument:
    """Write a document's description anew, bound to its text, which is written too unless it is there.

    Raises:
        OSError: the folder cannot be written.
    """
    content = None
    with suppress(OSError, DmdocError, KeyError):
        record, content = read_record(saved.folder / PAGES)
        content = content if record["pages"] == list(pages) else None
    if content is None:
        content = write_record(saved.folder / PAGES, {"pages": pages})
    restored = replace(saved, pages_sha256=hashlib.sha256(content).hexdigest())
    _describe(restored)
    return restored


def _describe(saved: SavedDocument) -> None:
    write_record(saved.folder / DESCRIPTION, description(saved))
