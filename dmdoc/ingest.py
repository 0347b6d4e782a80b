"""Read a document once: text → chunks → one δ-mem state, refined if asked for, saved after every chunk.

Knows nothing about terminals or options; whoever calls it says where documents are kept and shows progress.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import torch

import dmdoc
from dmdoc.chunking import Chunk
from dmdoc.document import Document
from dmdoc.errors import IdentityError, StateFileError, UsageError
from dmdoc.library import Library
from dmdoc.memory_state import MemoryState
from dmdoc.reader import Reader
from dmdoc.refine import document_windows, refine
from dmdoc.saved_document import SavedDocument
from dmdoc.state_file import StateHeader, check_identity

Status = Literal["added", "updated", "resumed", "unchanged"]


@dataclass(frozen=True)
class Progress:
    """How far an ingest is."""

    chunks_written: int
    chunks_total: int
    tokens_written: int
    tokens_total: int
    refine_step: int = 0
    """Refinement steps taken after the chunk that follows those written."""
    refine_steps: int = 0
    """Refinement steps after every chunk."""
    nats: float | None = None
    """Nats a token by which the state being refined recites; None while none is."""

    @property
    def share(self) -> float:
        """How much of the work is done, from 0 to 1."""
        chunk = self.refine_step / self.refine_steps if self.refine_steps else 0.0
        return (self.chunks_written + chunk) / self.chunks_total if self.chunks_total else 1.0


@dataclass(frozen=True)
class IngestResult:
    """What an ingest did."""

    document: SavedDocument
    status: Status
    """"unchanged": this text was already saved by this reader with these settings, and nothing was done."""
    tokens: int
    """Tokens that the state has read."""
    chunks: int
    seconds: float
    """Of writing in this run."""
    warnings: tuple[str, ...]


def ingest(
    document: Document,
    reader: Reader,
    library: Library,
    *,
    budget: int | None = None,
    refine_steps: int = 0,
    force: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> IngestResult:
    """Write a document into a state and save it; an interrupted ingest of the same text goes on where it was.

    Args:
        budget: tokens a chunk, at most; the adapter's write budget if None.
        refine_steps: steps by which the state is refined after each chunk (refine.py).
        force: do it again although the same text is already saved.

    Raises:
        UsageError: the budget is larger than what the adapter or the backbone takes, `refine_steps`
            is negative, or the name is taken.
        DmdocError: refinement met a loss that is not finite.
    """
    if refine_steps < 0:
        raise UsageError(f"--refine takes 0 or more steps, got {refine_steps}")
    chunks = reader.chunks(document.text, budget)
    tokens = sum(len(chunk.token_ids) for chunk in chunks)
    header = _fresh_header(document, reader, budget or reader.write_budget, len(chunks), refine_steps)
    warnings = _warnings(document, reader, tokens)
    with library.lock(document.name):
        found = library.status(document)
        if found == "unchanged" and not force and _same_writer(library.get(document.name), header):
            saved = library.get(document.name)
            library.set_current(saved.name)
            return IngestResult(saved, "unchanged", tokens, len(chunks), 0.0, warnings)
        started = time.monotonic()
        staged, state, header = _resume(document, reader, library, header, restart=force)
        status: Status = "resumed" if header.chunks_written else "added" if found == "new" else "updated"
        state, header = _write_chunks(chunks, reader, library, staged, state, header, progress)
        saved = library.finish(staged, state, header)
        return IngestResult(saved, status, tokens, len(chunks), time.monotonic() - started, warnings)


def _write_chunks(
    chunks: Sequence[Chunk],
    reader: Reader,
    library: Library,
    staged: SavedDocument,
    state: MemoryState,
    header: StateHeader,
    progress: Callable[[Progress], None] | None,
) -> tuple[MemoryState, StateHeader]:
    report = progress or _ignore
    windows = document_windows(chunks, reader) if header.refine_steps else ()
    reached = _progress(header, chunks)
    report(reached)

    def report_step(step: int, nats: float) -> None:
        report(replace(reached, refine_step=step, nats=nats))

    for number, chunk in enumerate(chunks[header.chunks_written :], start=header.chunks_written + 1):
        with torch.no_grad():
            state = reader.write([chunk], state)
        state = refine(state, windows[:number], reader, header.refine_steps, on_step=report_step)
        header = replace(
            header,
            chunks_written=header.chunks_written + 1,
            tokens_written=header.tokens_written + len(chunk.token_ids),
        )
        library.save_partial(staged, state, header)
        reached = _progress(header, chunks)
        report(reached)
    return state, header


def _progress(header: StateHeader, chunks: Sequence[Chunk]) -> Progress:
    tokens = sum(len(chunk.token_ids) for chunk in chunks)
    return Progress(
        header.chunks_written, len(chunks), header.tokens_written, tokens, refine_steps=header.refine_steps
    )


def _resume(
    document: Document, reader: Reader, library: Library, fresh: StateHeader, *, restart: bool
) -> tuple[SavedDocument, MemoryState, StateHeader]:
    """Stage the document; start where an interrupted ingest by this reader with these settings stopped."""
    staged = library.begin(document, restart=restart)
    try:
        partial = library.load_partial(staged)
    except StateFileError:
        partial = None  # a torn save: the chunks have to be written again
    if partial is not None:
        state, header = partial
        if _fits(header, fresh):
            return staged, state.to(reader.backbone.device), header
    staged = library.begin(document, restart=True)
    return staged, reader.zero_state(), fresh


def _same_writer(saved: SavedDocument, fresh: StateHeader) -> bool:
    try:
        return _fits(saved.header(), fresh)
    except StateFileError:
        return False


def _fits(header: StateHeader, fresh: StateHeader) -> bool:
    """Whether a state was written as this run would write it."""
    try:
        check_identity(header, backbone=fresh.backbone, adapter=fresh.adapter, tokenizer=fresh.tokenizer)
    except IdentityError:
        return False
    same = (
        "write_budget",
        "write_layout",
        "write_granularity",
        "refine_steps",
        "chunks_total",
        "document_sha256",
    )
    return all(getattr(header, name) == getattr(fresh, name) for name in same)


def _fresh_header(
    document: Document, reader: Reader, budget: int, chunks: int, refine_steps: int
) -> StateHeader:
    config = reader.adapter.config
    return StateHeader(
        backbone=reader.backbone.identity,
        adapter=reader.adapter_identity,
        tokenizer=reader.backbone.tokenizer_identity,
        tokens_written=0,
        chunks_written=0,
        chunks_total=chunks,
        write_budget=budget,
        write_layout=config.write_layout,
        write_granularity=config.memory_write_granularity,
        refine_steps=refine_steps,
        document_sha256=document.sha256,
        dmdoc_version=dmdoc.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _warnings(document: Document, reader: Reader, tokens: int) -> tuple[str, ...]:
    warnings = []
    if document.empty_pages:
        pages = ", ".join(str(number) for number in document.empty_pages)
        warnings.append(f"{document.name}: no text on page {pages}; scanned pages need OCR first")
    evidenced = reader.adapter.config.evidenced_tokens
    if tokens > evidenced:
        warnings.append(
            f"{document.name}: {tokens:,} tokens are {tokens / evidenced:.1f} times the {evidenced:,} for which "
            f"recall with {reader.adapter_identity.name} has been measured; expect the earlier parts to fade"
        )
    return tuple(warnings)


def _ignore(_: Progress) -> None:
    pass
