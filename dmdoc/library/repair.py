"""Rebuild the text and the description of a saved document from what is whole: its state, and the file it came from.

Nothing is guessed: a text is the document's if it has the hash that its state or its description names. Knows nothing
about models; a damaged state is written again by the ingest.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dmdoc.document import STDIN, Document, is_url
from dmdoc.errors import DmdocError
from dmdoc.library.library import Library
from dmdoc.library.record import read_record
from dmdoc.library.saved_document import DESCRIPTION, PAGES, STATE, SavedDocument, read_saved_document
from dmdoc.memory.state_file import read_header
from dmdoc.memory.state_header import StateHeader

Read = TypeVar("Read")


@dataclass(frozen=True)
class Rebuilt:
    """A document that has a text and a description again."""

    saved: SavedDocument
    told: tuple[str, ...]
    """What was rebuilt, and what is lost."""


def rebuild(name: str, library: Library, read: Callable[[str], Document]) -> Rebuilt:
    """Rebuild `document.json` and `pages.json` of a document, as far as they are damaged or missing.

    Args:
        read: reads a file again.

    Raises:
        DmdocError: they cannot be rebuilt; nothing was changed.
    """
    with library.lock(name):
        folder = library.root / "documents" / name
        described = _whole(lambda: read_saved_document(name, folder))
        header = _whole(lambda: read_header(folder / STATE))
        sha256 = described.sha256 if described else header.document_sha256 if header else None
        source = described.source if described else _doubtful_source(folder / DESCRIPTION)
        if sha256 is None:
            raise DmdocError(f"{name!r} cannot be rebuilt: its description and its state are both lost")
        pages, told = _pages(folder / PAGES, sha256), []
        if pages is None:
            pages = _text_of(source, sha256, read)
            told.append(f"its text was read again from {source}")
        if pages is None:
            raise DmdocError(
                f"the text of {name!r} is lost: {source or 'the file it was read from'} is gone or was changed"
            )
        if described is None and header is not None:
            described, lost = _described(name, folder, pages, header, source, read)
            told.append(f"its description was written anew; {lost}")
        assert described is not None
        return Rebuilt(library.restore(described, pages), tuple(told))


def _described(
    name: str,
    folder: Path,
    pages: tuple[str, ...],
    header: StateHeader,
    source: str,
    read: Callable[[str], Document],
) -> tuple[SavedDocument, str]:
    """What its text and state say of a document, and what nobody knows any more."""
    lost = "its tags are lost"
    if _text_of(source, header.document_sha256, read) is None:
        source, lost = STDIN, "its source and its tags are lost"
    document = Document(name, source, pages)
    saved = SavedDocument(
        name=name,
        folder=folder,
        source=source,
        sha256=document.sha256,
        page_count=len(pages),
        characters=len(document.text),
        created=header.created,
        header_sha256=header.sha256,
    )
    return saved, lost


def _pages(path: Path, sha256: str) -> tuple[str, ...] | None:
    """The pages in a file, if they are the text of this hash."""
    with suppress(OSError, DmdocError, KeyError, TypeError, ValueError, AttributeError):
        pages = tuple(read_record(path)[0]["pages"])
        if Document("", "", pages).sha256 == sha256:
            return pages
    return None


def _text_of(source: str, sha256: str, read: Callable[[str], Document]) -> tuple[str, ...] | None:
    """The pages of the file that a document was read from, if it still has the text of this hash."""
    if source in ("", STDIN) or is_url(source):
        return None
    document = _whole(lambda: read(source))
    return document.pages if document is not None and document.sha256 == sha256 else None


def _doubtful_source(path: Path) -> str:
    """What a damaged description says of the source; it is believed if the file has the text."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        return str(json.loads(path.read_bytes().decode(errors="replace"))["source"])
    return ""


def _whole(read: Callable[[], Read]) -> Read | None:
    with suppress(OSError, DmdocError):
        return read()
    return None
