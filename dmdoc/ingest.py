"""Read a document once: text → chunks → a δ-mem state for each (sections.py), saved batch by batch.

Knows nothing about terminals or options; whoever calls it says where documents are kept and shows progress.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate
from typing import Literal

import dmdoc
from dmdoc.chunking import Chunk
from dmdoc.document import Document
from dmdoc.errors import IdentityError, StateFileError, UsageError
from dmdoc.library import Library
from dmdoc.memory_state import MemoryState
from dmdoc.reader import Reader
from dmdoc.saved_document import SavedDocument
from dmdoc.sections import batches, write_sections
from dmdoc.state_file import Section, StateHeader, check_identity

Status = Literal["added", "updated", "resumed", "unchanged"]


@dataclass(frozen=True)
class Progress:
    """How far an ingest is."""

    sections_written: int
    sections_total: int
    tokens_written: int
    tokens_total: int
    batch_tokens: int = 0
    """Tokens of the sections that are being refined; 0 while none are."""
    refine_step: int = 0
    """Refinement steps that these have taken."""
    refine_steps: int = 0
    """Refinement steps of every section."""
    nats: float | None = None
    """Nats a token by which these recite; None while none are refined."""

    @property
    def tokens_done(self) -> float:
        """Tokens saved, and of those being refined the share of the steps that are taken."""
        refined = self.refine_step / self.refine_steps if self.refine_steps else 0.0
        return self.tokens_written + refined * self.batch_tokens

    @property
    def share(self) -> float:
        """How much of the work is done, from 0 to 1."""
        return self.tokens_done / self.tokens_total if self.tokens_total else 1.0


@dataclass(frozen=True)
class IngestResult:
    """What an ingest did."""

    document: SavedDocument
    status: Status
    """"unchanged": this text was already saved by this reader with these settings, and nothing was done."""
    tokens: int
    """Tokens that were written."""
    sections: int
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
    """Write a document, section by section, and save it; an interrupted ingest of the text goes on where it was.

    Args:
        budget: tokens a section, at most; the adapter's write budget if None.
        refine_steps: steps by which each section's state is refined (refine.py).
        force: do it again although the same text is already saved.

    Raises:
        UsageError: the budget is larger than what the adapter or the backbone takes, `refine_steps`
            is negative, or the name is taken.
        DmdocError: refinement met a loss that is not finite.
    """
    if refine_steps < 0:
        raise UsageError(f"--refine takes 0 or more steps, got {refine_steps}")
    chunks = reader.chunks(document.text, budget)
    header = _header(document, reader, chunks, budget or reader.write_budget, refine_steps)
    tokens, warnings = header.tokens_written, _warnings(document, reader, header)
    with library.lock(document.name):
        found = library.status(document)
        if found == "unchanged" and not force and _same_writer(library.get(document.name), header):
            saved = library.get(document.name)
            library.set_current(saved.name)
            return IngestResult(saved, "unchanged", tokens, len(chunks), 0.0, warnings)
        started = time.monotonic()
        staged, state = _resume(document, reader, library, header, restart=force)
        status: Status = "resumed" if state else "added" if found == "new" else "updated"
        state = _write(chunks, state, reader, library, staged, header, progress or _ignore)
        saved = library.finish(staged, state, header)
        return IngestResult(saved, status, tokens, len(chunks), time.monotonic() - started, warnings)


def _write(
    chunks: Sequence[Chunk],
    state: MemoryState | None,
    reader: Reader,
    library: Library,
    staged: SavedDocument,
    header: StateHeader,
    report: Callable[[Progress], None],
) -> MemoryState:
    """The states of all sections: those of `state`, which were saved before, and the others, saved batch by batch."""
    states, done = ([], 0) if state is None else ([state], state.batch)
    reached = _progress(header, done)
    report(reached)
    for batch in batches(chunks[done:]):
        sections = header.sections[done : done + len(batch)]
        refining = replace(reached, batch_tokens=sum(section.tokens for section in sections))

        def report_step(step: int, nats: float, refining: Progress = refining) -> None:
            report(replace(refining, refine_step=step, nats=nats))

        states.append(write_sections(batch, reader, header.refine_steps, on_step=report_step).to("cpu"))
        library.save_partial(staged, done, states[-1], replace(header, sections=sections))
        done += len(batch)
        reached = _progress(header, done)
        report(reached)
    return MemoryState.cat(states)


def _progress(header: StateHeader, done: int) -> Progress:
    return Progress(
        sections_written=done,
        sections_total=header.sections_total,
        tokens_written=sum(section.tokens for section in header.sections[:done]),
        tokens_total=header.tokens_written,
        refine_steps=header.refine_steps,
    )


def _sections(document: Document, chunks: Sequence[Chunk]) -> tuple[Section, ...]:
    """What the chunks of a document will be as sections."""
    numbers = [number for number, page in enumerate(document.pages, start=1) if page]
    # Where each of these pages begins in the text: `Document.text` puts two characters between pages.
    starts = list(accumulate((len(document.pages[number - 1]) + 2 for number in numbers[:-1]), initial=0))

    def page_at(position: int) -> int:
        return numbers[bisect_right(starts, position) - 1]

    return tuple(
        Section(len(chunk.token_ids), page_at(chunk.start), page_at(chunk.start + len(chunk.text) - 1))
        for chunk in chunks
    )


def _resume(
    document: Document, reader: Reader, library: Library, header: StateHeader, *, restart: bool
) -> tuple[SavedDocument, MemoryState | None]:
    """Stage the document, with what an interrupted ingest by this reader with these settings wrote of it."""
    staged = library.begin(document, restart=restart)
    try:
        partial = library.load_partial(staged)
    except StateFileError:
        partial = None  # a torn save: the sections have to be written again
    if partial is not None and _fits(partial[1], header):
        return staged, partial[0]
    return library.begin(document, restart=True), None


def _same_writer(saved: SavedDocument, fresh: StateHeader) -> bool:
    try:
        return _fits(saved.header(), fresh)
    except StateFileError:
        return False


def _fits(header: StateHeader, fresh: StateHeader) -> bool:
    """Whether states were written as this run would write them."""
    try:
        check_identity(header, backbone=fresh.backbone, adapter=fresh.adapter, tokenizer=fresh.tokenizer)
    except IdentityError:
        return False
    same = ("write_budget", "write_layout", "write_granularity", "refine_steps", "document_sha256")
    if any(getattr(header, name) != getattr(fresh, name) for name in same):
        return False
    return header.sections_total == fresh.sections_total and (
        header.sections == fresh.sections[: len(header.sections)]
    )


def _header(
    document: Document, reader: Reader, chunks: Sequence[Chunk], budget: int, refine_steps: int
) -> StateHeader:
    """The header of the finished states."""
    config = reader.adapter.config
    return StateHeader(
        backbone=reader.backbone.identity,
        adapter=reader.adapter_identity,
        tokenizer=reader.backbone.tokenizer_identity,
        sections=_sections(document, chunks),
        sections_total=len(chunks),
        write_budget=budget,
        write_layout=config.write_layout,
        write_granularity=config.memory_write_granularity,
        refine_steps=refine_steps,
        document_sha256=document.sha256,
        dmdoc_version=dmdoc.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _warnings(document: Document, reader: Reader, header: StateHeader) -> tuple[str, ...]:
    warnings = []
    if document.empty_pages:
        pages = ", ".join(str(number) for number in document.empty_pages)
        warnings.append(f"{document.name}: no text on page {pages}; scanned pages need OCR first")
    tokens, evidenced = header.tokens_written, reader.adapter.config.evidenced_tokens
    if tokens > evidenced:
        expect = "less of it will be recalled"
        if header.sections_total > 1:
            expect = f"an answer comes from one of its {header.sections_total} sections, which may be the wrong one"
        warnings.append(
            f"{document.name}: {tokens:,} tokens are {tokens / evidenced:.1f} times the {evidenced:,} for which "
            f"recall with {reader.adapter_identity.name} has been measured; {expect}"
        )
    return tuple(warnings)


def _ignore(_: Progress) -> None:
    pass
