"""One saved document: what its folder holds and how to read it. Knows nothing about other documents or locks.

document.json       where the text came from, its hash and its size, its tags, and the hashes of the other files
pages.json          the extracted text, page by page
state.safetensors   the states of all sections; while the ingest is under way, partial-N.safetensors hold those
                    of each batch, N sections having been written before it, and refining-N.safetensors what is
                    refined

Every file is checked against document.json when it is read, and that by its own checksum (record.py). Documents that
dmdoc 0.1.0 wrote name the hash of the text alone.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dmdoc.document import Change, Document, Stamp, WebStamp, read_stamp
from dmdoc.errors import DmdocError, StateFileError
from dmdoc.library.record import damaged, read_record
from dmdoc.memory.state_file import read_header, read_state
from dmdoc.memory.state_header import Section, StateHeader

if TYPE_CHECKING:
    from dmdoc.memory.state import MemoryState

DESCRIPTION, PAGES, STATE = "document.json", "pages.json", "state.safetensors"


@dataclass(frozen=True)
class Summary:
    """What a listing tells of the finished state of a document."""

    tokens: int
    """Tokens written, layout included."""
    sections: int
    refine_steps: int
    model: str
    adapter: str


@dataclass(frozen=True)
class SavedDocument:
    """A document as it was when it was looked up.

    Should another process replace it by another text meanwhile, reading its text or its state raises DmdocError: what
    they return is always of the text that `sha256` names.
    """

    name: str
    folder: Path
    source: str
    """Absolute path or URL of the file it was read from, or "-" for standard input."""
    sha256: str
    """Of the text in UTF-8."""
    page_count: int
    characters: int
    created: str
    """When its ingest began: UTC, ISO 8601."""
    tags: tuple[str, ...] = ()
    """Sorted."""
    pages_sha256: str | None = None
    """Of pages.json; None if it was written before there were checksums."""
    header_sha256: str | None = None
    """Of the header of the finished state; None too while there is none."""
    file: Stamp | WebStamp | None = None
    """The file or web page that it was read from, as it was then; None if that is not known."""

    known_summary: Summary | None = field(default=None, compare=False, repr=False)
    """As `summary`, if it was read already."""

    @property
    def file_change(self) -> Change | None:
        """What has become of that file since; None if only a server can tell, or it is not known what it was."""
        return None if self.file is None else self.file.change(self.source)

    @property
    def state_path(self) -> Path:
        return self.folder / STATE

    def partial_path(self, sections: int) -> Path:
        """Where the batch of sections is kept that is written after the first `sections`."""
        return self.folder / f"partial-{sections}.safetensors"

    def refining_path(self, sections: int) -> Path:
        """Where the refinement of that batch is kept while it is under way."""
        return self.folder / f"refining-{sections}.safetensors"

    def partial_paths(self) -> list[Path]:
        """All that is kept of an ingest that is under way."""
        return [
            path for kind in ("partial", "refining") for path in self.folder.glob(f"{kind}-*.safetensors")
        ]

    def pages(self) -> tuple[str, ...]:
        """The text of pages 1..n."""
        path = self.folder / PAGES
        with self._unless_replaced():
            record, content = read_record(path)
            if self.pages_sha256 not in (None, hashlib.sha256(content).hexdigest()):
                raise self._changed()
            try:
                pages = tuple(record["pages"])
                found = Document(name=self.name, source=self.source, pages=pages).sha256
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise damaged(path) from error
            self._check_text(found)
            return pages

    def header(self) -> StateHeader:
        """The finished state's header.

        Raises:
            StateFileError, StateVersionError: as `read_header`.
        """
        with self._unless_replaced():
            self._wait_for_state()
            header = read_header(self.state_path)
            self._check_header(header)
            return header

    def summary(self) -> Summary:
        """
        Raises:
            DmdocError, StateFileError, StateVersionError: as `header`.
        """
        if self.known_summary is not None:
            return self.known_summary
        header = self.header()
        return Summary(
            header.tokens_written,
            len(header.sections),
            header.refine_steps,
            header.backbone.name,
            header.adapter.name,
        )

    def state(self) -> "tuple[MemoryState, StateHeader]":
        """The states of all sections, a section a row, on the CPU, and their header.

        Raises:
            StateFileError, StateVersionError: as `read_state`.
        """
        with self._unless_replaced():
            self._wait_for_state()
            state, header = read_state(self.state_path)
            self._check_header(header)
            return state, header

    def partial_state(self) -> "tuple[MemoryState, StateHeader] | None":
        """All sections that an interrupted ingest of it wrote, as `state`, or None when it wrote none.

        Raises:
            StateFileError, StateVersionError: as `read_state`.
        """
        # An ingest that was killed when it was all but published has nothing left to do: its state has the final name.
        if self.state_path.exists():
            return read_state(self.state_path)
        from dmdoc.memory.state import MemoryState  # torch comes with it

        batches: list[tuple[MemoryState, StateHeader]] = []
        sections: tuple[Section, ...] = ()
        while (path := self.partial_path(len(sections))).exists():
            batches.append(read_state(path))
            sections += batches[-1][1].sections
            if not _go_together(batches[0][1], batches[-1][1]):
                raise StateFileError(f"{path} was not written as the batches before it were")
        if not batches:
            return None
        return MemoryState.cat([state for state, _ in batches]), replace(batches[0][1], sections=sections)

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

    def _wait_for_state(self) -> None:
        """Let a publishing that is between its two renames end: it takes no longer than these."""
        if not self.state_path.exists():
            time.sleep(0.05)

    def _check_header(self, header: StateHeader) -> None:
        self._check_text(header.document_sha256)
        if self.header_sha256 in (None, header.sha256):
            return
        # The same text may have been read again meanwhile; then the description names the state that is there now.
        with suppress(FileNotFoundError):
            if read_saved_document(self.name, self.folder).header_sha256 == header.sha256:
                return
        raise self._changed()

    def _check_text(self, sha256: str) -> None:
        if sha256 != self.sha256:
            raise self._changed()

    def _changed(self) -> DmdocError:
        return DmdocError(
            f"the document {self.name!r} is not the one that was looked up: it was replaced or altered; "
            "try again, and if that does not help read the document again"
        )


def _go_together(first: StateHeader, other: StateHeader) -> bool:
    """Whether two batches are of one text and written alike, in whichever run each of them was."""
    alike = replace(other, sections=first.sections, created=first.created, dmdoc_version=first.dmdoc_version)
    return alike == first


def is_saved_document(folder: Path) -> bool:
    """Whether a folder holds a document, without reading it."""
    return (folder / DESCRIPTION).is_file()


def read_saved_document(name: str, folder: Path) -> SavedDocument:
    """The document in a folder. Its name is not written inside, so that a rename is one step.

    Raises:
        FileNotFoundError: there is no document in it.
        DmdocError: document.json is unreadable, damaged, or from a newer dmdoc.
    """
    path = folder / DESCRIPTION
    record, _ = read_record(path)
    try:
        files = record.get("files", {})
        return SavedDocument(
            name=name,
            folder=folder,
            source=str(record["source"]),
            sha256=str(record["sha256"]),
            page_count=int(record["pages"]),
            characters=int(record["characters"]),
            created=str(record["created"]),
            tags=tuple(map(str, record["tags"])),
            pages_sha256=files.get(PAGES),
            header_sha256=files.get(STATE),
            file=read_stamp(record.get("file") or record.get("web")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise damaged(path) from error
