"""One saved document: what its folder holds and how to read it. Knows nothing about other documents or locks.

document.json       where the text came from, its hash and its size, and its tags
pages.json          the extracted text, page by page
state.safetensors   the states of all sections; while the ingest is under way, partial-N.safetensors hold those
                    of each batch, N sections having been written before it
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmdoc.atomic_file import write_atomically
from dmdoc.document import Document
from dmdoc.errors import DmdocError, StateFileError
from dmdoc.memory.state_file import Section, StateHeader, load_state, read_header

if TYPE_CHECKING:
    from dmdoc.memory.state import MemoryState

SCHEMA = 1


@dataclass(frozen=True)
class SavedDocument:
    """A document as it was when it was looked up.

    Should another process replace it meanwhile, reading its text or its state raises DmdocError: what they
    return is always of the text that `sha256` names.
    """

    name: str
    folder: Path
    source: str
    """Absolute path of the file it was read from, or "-" for standard input."""
    sha256: str
    """Of the text in UTF-8."""
    page_count: int
    characters: int
    created: str
    """When its ingest began: UTC, ISO 8601."""
    tags: tuple[str, ...] = ()
    """Sorted."""

    @property
    def state_path(self) -> Path:
        return self.folder / "state.safetensors"

    def partial_path(self, sections: int) -> Path:
        """Where the batch of sections is kept that is written after the first `sections`."""
        return self.folder / f"partial-{sections}.safetensors"

    def partial_paths(self) -> list[Path]:
        return list(self.folder.glob("partial-*.safetensors"))

    def pages(self) -> tuple[str, ...]:
        """The text of pages 1..n."""
        path = self.folder / "pages.json"
        with self._unless_replaced():
            try:
                pages = tuple(_read_record(path)["pages"])
                found = Document(name=self.name, source=self.source, pages=pages).sha256
            except (KeyError, TypeError, AttributeError) as error:
                raise _damaged(path) from error
            self._check_text(found)
            return pages

    def header(self) -> StateHeader:
        """The finished state's header.

        Raises:
            StateFileError, StateVersionError: as `read_header`.
        """
        with self._unless_replaced():
            header = read_header(self.state_path)
            self._check_text(header.document_sha256)
            return header

    def state(self) -> "tuple[MemoryState, StateHeader]":
        """The states of all sections, a section a row, on the CPU, and their header.

        Raises:
            StateFileError, StateVersionError: as `load_state`.
        """
        with self._unless_replaced():
            state, header = load_state(self.state_path)
            self._check_text(header.document_sha256)
            return state, header

    def partial_state(self) -> "tuple[MemoryState, StateHeader] | None":
        """All sections that an interrupted ingest of it wrote, as `state`, or None when it wrote none.

        Raises:
            StateFileError, StateVersionError: as `load_state`.
        """
        # An ingest that was killed when it was all but published has nothing left to do: its state has the final name.
        if self.state_path.exists():
            return load_state(self.state_path)
        from dmdoc.memory.state import MemoryState  # torch comes with it

        states: list[MemoryState] = []
        sections: tuple[Section, ...] = ()
        while (path := self.partial_path(len(sections))).exists():
            state, header = load_state(path)
            states.append(state)
            sections += header.sections
        if not states:
            return None
        return MemoryState.cat(states), replace(header, sections=sections)

    @contextmanager
    def _unless_replaced(self) -> Iterator[None]:
        """A file that was there at the look-up and is gone now belonged to a document that was replaced."""
        try:
            yield
        except FileNotFoundError as error:
            raise self._changed() from error
        except StateFileError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise self._changed() from error
            raise

    def _check_text(self, sha256: str) -> None:
        if sha256 != self.sha256:
            raise self._changed()

    def _changed(self) -> DmdocError:
        return DmdocError(
            f"the document {self.name!r} is not the one that was looked up: it was replaced or altered; "
            "run the command again, and if that does not help ingest it with --force"
        )


@dataclass(frozen=True)
class Damaged:
    """What lies where a document should, and cannot be used."""

    name: str
    error: DmdocError
    tags: tuple[str, ...] | None
    """None where they cannot be read."""


def is_saved_document(folder: Path) -> bool:
    """Whether a folder holds a document, without reading it."""
    return (folder / "document.json").is_file()


def read_saved_document(name: str, folder: Path) -> SavedDocument:
    """The document in a folder. Its name is not written inside, so that a rename is one step.

    Raises:
        FileNotFoundError: there is no document in it.
        DmdocError: document.json is unreadable, damaged, or from a newer dmdoc.
    """
    path = folder / "document.json"
    record = _read_record(path)
    try:
        return SavedDocument(
            name=name,
            folder=folder,
            source=str(record["source"]),
            sha256=str(record["sha256"]),
            page_count=int(record["pages"]),
            characters=int(record["characters"]),
            created=str(record["created"]),
            tags=tuple(map(str, record["tags"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error


def write_saved_document(folder: Path, document: Document, *, created: str) -> None:
    """Write a document's text and description into a folder; document.json last, to stand for both.

    Raises:
        OSError: the folder cannot be written.
    """
    description = {
        "schema": SCHEMA,
        "source": document.source,
        "sha256": document.sha256,
        "pages": len(document.pages),
        "characters": len(document.text),
        "created": created,
        "tags": [],
    }
    _write_record(folder / "pages.json", {"schema": SCHEMA, "pages": document.pages})
    _write_record(folder / "document.json", description)


def write_tags(saved: SavedDocument, tags: Iterable[str]) -> SavedDocument:
    """Give a document these tags in place of those it had.

    Raises:
        OSError: the folder cannot be written.
    """
    path = saved.folder / "document.json"
    tagged = replace(saved, tags=tuple(sorted(set(tags))))
    if tagged != saved:
        _write_record(path, {**_read_record(path), "tags": tagged.tags})
    return tagged


def _write_record(path: Path, record: dict[str, Any]) -> None:
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    # A source may be called what UTF-8 cannot hold; this makes a JSON escape of it.
    write_atomically(path, text.encode(errors="backslashreplace"))


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DmdocError(f"cannot read {path}: {error.strerror or error}; check its permissions") from error
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(record, dict) or not isinstance(record.get("schema"), int):
        raise _damaged(path)
    if record["schema"] > SCHEMA:
        raise DmdocError(f"{path} was written by a newer dmdoc (schema {record['schema']}); upgrade dmdoc")
    return record


def _damaged(path: Path) -> DmdocError:
    return DmdocError(f"{path} is damaged; `dmdoc rm` the document and ingest its source again")
