"""A saved document as one `.dmdoc` file, to hand over: a ZIP archive of its text, its state and what they are.

Nothing of the machine that made it is inside: paths are cut to file names. Nothing of it is trusted either: text,
hashes and state are checked before a library sees them, and no member's name is ever used as a path.

    document.json       format, version, name, source, hash of the text, tags
    pages.json          the text, page by page
    state.safetensors   the state, as in a library
"""

import hashlib
import io
import json
import os
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmdoc.atomic_file import write_atomically
from dmdoc.document import Document, bare_source, check_name, check_tag
from dmdoc.errors import BundleError, DmdocError, StateFileError, StateVersionError, UsageError
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.state_file import pack_state, unpack_state
from dmdoc.memory.state_header import Identity, StateHeader

if TYPE_CHECKING:
    from dmdoc.memory.state import MemoryState

FORMAT = "dmdoc-document"
VERSION = 2
"""1 has no hash over name, source and tags."""
SUFFIX = ".dmdoc"

MOST_BYTES = {"document.json": 1 << 20, "pages.json": 1 << 27, "state.safetensors": 1 << 28}
"""What each member may unpack to. In memory the numbers of a state take four times as much."""

MOST_PAGES, MOST_TAGS, LONGEST_SOURCE = 1_000_000, 1_000, 4_096

_RECORD, _PAGES, _STATE = "document.json", "pages.json", "state.safetensors"
_BEGIN, _COMMA, _END = (re.compile(part) for part in (r'\{"pages": \[', ", ?", r"\]\}"))
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same document always gives the same bytes


@dataclass(frozen=True)
class Bundle:
    """What a checked `.dmdoc` file holds."""

    document: Document
    tags: tuple[str, ...]
    state: "MemoryState"
    header: StateHeader


def write_bundle(saved: SavedDocument, path: Path) -> int:
    """Write a saved document as one file, atomically; returns its size in bytes.

    Raises:
        BundleError: the file cannot be written.
        DmdocError, StateFileError: the saved document is damaged.
    """
    record = {
        "format": FORMAT,
        "version": VERSION,
        "name": saved.name,
        "source": bare_source(saved.source),
        "sha256": saved.sha256,
        "tags": list(saved.tags),
    }
    record["record_sha256"] = _record_hash(record)
    members = {
        # A source may be called what UTF-8 cannot hold; this makes a JSON escape of it.
        _RECORD: json.dumps(record, ensure_ascii=False).encode(errors="backslashreplace"),
        _PAGES: json.dumps({"pages": saved.pages()}, ensure_ascii=False).encode(),
        _STATE: _bare_state(saved),
    }
    for name, content in members.items():
        if len(content) > MOST_BYTES[name]:
            raise BundleError(f"{saved.name} is too large to hand over; split its source up")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    try:
        write_atomically(path, packed.getvalue())
    except OSError as error:
        raise BundleError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    return len(packed.getvalue())


def read_bundle(path: Path) -> Bundle:
    """Read and check a `.dmdoc` file.

    Raises:
        BundleError: it is missing, damaged, altered, not a `.dmdoc` file, or from a newer dmdoc.
    """
    members = _members(path)
    try:
        record, pages = json.loads(members[_RECORD]), _pages(members[_PAGES])
        _check_version(path, record)
        document = Document(_string(record["name"]), bare_source(_string(record["source"])), pages)
        tags = _strings(record["tags"])
        check_name(document.name)
        for tag in tags:
            check_tag(tag)
        intact = document.sha256 == record["sha256"] and _is_whole(record)
        bounded = len(tags) <= MOST_TAGS and len(document.source) <= LONGEST_SOURCE
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UsageError) as error:
        raise _damaged(path) from error
    try:
        state, header = unpack_state(members[_STATE], path)
    except StateVersionError as error:
        raise BundleError(f"{path} was written by another version of dmdoc; export it again") from error
    except StateFileError as error:
        raise _damaged(path) from error
    if not (intact and bounded and _fits(header, document)):
        raise _damaged(path)
    return Bundle(document, tags, state, header)


def install(
    bundle: Bundle, library: Library, *, name: str | None = None, tags: Sequence[str] = ()
) -> tuple[SavedDocument, bool]:
    """Save what a bundle holds, under its own name or another, with these tags beside its own, and make it current.

    A text that is saved under the name already, wherever it is from, stays with the state and the tags that it has; it
    gets `tags` beside these.

    Returns:
        The document, and whether it was saved now.

    Raises:
        UsageError: the name belongs to a document of another text, or one of `tags` cannot be a tag.
    """
    document = replace(bundle.document, name=name or bundle.document.name)
    for tag in tags:
        check_tag(tag)
    with library.lock(document.name):
        if _is_here(document, library):
            return library.keep(document.name, tags=tags), False
        if library.status(document) == "updated":
            # The same file name says nothing about whether it was the same file.
            raise UsageError(
                f"the name {document.name!r} is taken by another document; "
                f"give another name, or remove that document first"
            )
        staged = library.begin(document, restart=True)
        return library.finish(staged, bundle.state, bundle.header, tags=(*bundle.tags, *tags)), True


def _is_here(document: Document, library: Library) -> bool:
    """Whether the text is saved under the document's name, with a state that can be read."""
    try:
        saved = library.get(document.name)
        return saved.sha256 == saved.header().document_sha256 == document.sha256
    except DmdocError:
        return False


def _members(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if sorted(info.filename for info in infos) != sorted((_RECORD, _PAGES, _STATE)):
                raise BundleError(f"{path} is not a {SUFFIX} file, as an export writes it")
            for info in infos:
                if info.file_size > (most := MOST_BYTES[info.filename]):
                    raise BundleError(
                        f"{info.filename} in {path} would unpack to more than {most:,} bytes; it is refused"
                    )
            return {info.filename: archive.read(info) for info in infos}
    except FileNotFoundError:
        raise BundleError(f"no such file: {path}; give an exported {SUFFIX} file") from None
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BundleError(
            f"{path} is not a {SUFFIX} file, or is damaged: {error}; export it again"
        ) from error


def _record_hash(record: dict[str, Any]) -> str:
    kept = {name: value for name, value in record.items() if name != "record_sha256"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _is_whole(record: dict[str, Any]) -> bool:
    return bool(record["version"] == 1 or record["record_sha256"] == _record_hash(record))


def _fits(header: StateHeader, document: Document) -> bool:
    """Whether the states are of this text, all of them, and speak of no page that it does not have."""
    pages = all(1 <= each.first_page <= each.last_page <= len(document.pages) for each in header.sections)
    whole = len(header.sections) == header.sections_total
    return header.document_sha256 == document.sha256 and pages and whole


def _check_version(path: Path, record: dict[str, Any]) -> None:
    if record["format"] != FORMAT:
        raise BundleError(f"{path} is not a {SUFFIX} file, as an export writes it")
    if type(record["version"]) is not int:
        raise ValueError("not a version")
    if record["version"] > VERSION:
        raise BundleError(f"{path} was written by a newer dmdoc (format {record['version']}); upgrade dmdoc")


def _bare_state(saved: SavedDocument) -> bytes:
    """The bytes of the state file, without the folders in which a model or an adapter lay."""
    state, header = saved.state()
    header = replace(
        header,
        backbone=_bare_identity(header.backbone),
        adapter=_bare_identity(header.adapter),
        tokenizer=_bare_identity(header.tokenizer),
    )
    return pack_state(state, header)


def _bare_identity(identity: Identity) -> Identity:
    return replace(identity, name=bare_source(identity.name)) if os.path.isabs(identity.name) else identity


def _string(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a string")
    return value


def _pages(content: bytes) -> tuple[str, ...]:
    """The strings of `{"pages": [...]}`, one after the other: what else may stand there would take memory to parse.

    Raises:
        ValueError: it is no such object, or has more than `MOST_PAGES`.
    """
    text, decoder, pages = content.decode(), json.JSONDecoder(), list[str]()
    begun = _BEGIN.match(text)
    while begun is not None and text.startswith('"', begun.end()) and len(pages) < MOST_PAGES:
        page, end = decoder.raw_decode(text, begun.end())
        pages.append(page)
        if _END.fullmatch(text, end):
            return tuple(pages)
        begun = _COMMA.match(text, end)
    raise ValueError("not the pages of a document")


def _strings(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("not strings")
    return tuple(values)


def _damaged(path: Path) -> BundleError:
    return BundleError(
        f"{path} is damaged or was altered: its content does not match its hashes; export it again"
    )
