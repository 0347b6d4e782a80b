"""Read a document once: text → chunks → a δ-mem state for each (sections.py), saved batch by batch.

Knows nothing about terminals or options; whoever calls it says where documents are kept and shows progress.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dmdoc.document import Document
from dmdoc.errors import DmdocError, StateFileError
from dmdoc.ingest.refining import Refining
from dmdoc.ingest.room import Room, room_for
from dmdoc.ingest.sections import batches, write_sections
from dmdoc.ingest.task import Task, fits, plan
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.copying import StateCopy
from dmdoc.memory.state import MemoryState
from dmdoc.memory.state_header import StateHeader
from dmdoc.model.reader import Reader

Status = Literal["added", "updated", "resumed", "unchanged"]


@dataclass(frozen=True)
class IngestProgress:
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
    """Nats a token by which these answer what they practise; None while none are refined."""

    unit: str = "tokens"

    @property
    def done(self) -> float:
        """Tokens saved, and of those being refined the share of the steps that are taken."""
        refined = self.refine_step / self.refine_steps if self.refine_steps else 0.0
        return self.tokens_written + refined * self.batch_tokens

    @property
    def total(self) -> int:
        """Tokens of the text."""
        return self.tokens_total

    @property
    def reached(self) -> str:
        """Sections and tokens that are saved, and how well those in work answer."""
        sections = f"section {self.sections_written}/{self.sections_total}"
        reached = f"{sections}, {self.tokens_written:,}/{self.tokens_total:,} tokens"
        if self.nats is not None:
            reached += f", refined {self.refine_step}/{self.refine_steps}: {self.nats:.2f} nats a token"
        return reached


@dataclass(frozen=True)
class IngestResult:
    """What an ingest did."""

    document: SavedDocument
    status: Status
    """"unchanged": this text was already saved by this reader with these settings, and nothing was done."""
    tokens: int
    """Tokens that were written."""
    sections: int
    refine_steps: int
    state_bytes: int
    model: str
    adapter: str
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
    tags: Sequence[str] = (),
    force: bool = False,
    progress: Callable[[IngestProgress], None] | None = None,
) -> IngestResult:
    """Write a document, section by section, and save it; an interrupted ingest of the text goes on where it was.

    Args:
        budget: tokens a section, at most; the adapter's write budget if None.
        refine_steps: steps by which each section's state is refined (refine.py).
        tags: of the document, beside those that it has.
        force: do it again although the same text is already saved.

    Raises:
        UsageError, DmdocError: as `plan` and `carry_out`.
    """
    task = plan(document, reader, budget=budget, refine_steps=refine_steps)
    room = room_for(reader, refine_steps, budget)
    return carry_out(task, reader, library, room, tags=tags, force=force, progress=progress)


def carry_out(
    task: Task,
    reader: Reader,
    library: Library,
    room: Room,
    *,
    tags: Sequence[str] = (),
    force: bool = False,
    progress: Callable[[IngestProgress], None] | None = None,
) -> IngestResult:
    """Write and save what was planned, batch by batch; arguments as for `ingest`.

    Raises:
        UsageError: the name is taken.
        DmdocError: refinement met a loss that is not finite.
    """
    with library.lock(task.document.name):
        found = library.status(task.document)
        if not force and (result := already_done(task, library, tags)):
            return result
        started = time.monotonic()
        staged, state = _resume(task.document, reader, library, task.header, restart=force)
        status: Status = "resumed" if state else "added" if found == "new" else "updated"
        state = _write(task, state, reader, library, room, staged, progress or _ignore)
        saved = library.finish(staged, state, task.header, tags=tags)
        return result_of(task, saved, status, time.monotonic() - started)


def already_done(task: Task, library: Library, tags: Sequence[str] = ()) -> IngestResult | None:
    """The result of a task that has nothing left to do, whose document gets its tags and becomes the current one.

    Returns:
        None if there is something left to do.

    Raises:
        UsageError: the name is taken.
    """
    if library.status(task.document) != "unchanged":
        return None
    saved = library.get(task.document.name)
    if not _same_writer(saved, task.header):
        return None
    saved = library.keep(saved.name, tags=tags, file=task.document.file)
    return result_of(task, saved, "unchanged", 0.0)


def result_of(task: Task, saved: SavedDocument, status: Status, seconds: float) -> IngestResult:
    """What there is to tell of a task that is done; the document's lock is held."""
    return IngestResult(
        document=saved,
        status=status,
        tokens=task.tokens,
        sections=len(task.chunks),
        refine_steps=task.header.refine_steps,
        state_bytes=saved.state_path.stat().st_size,
        model=task.header.backbone.name,
        adapter=task.header.adapter.name,
        seconds=seconds,
        warnings=task.warnings,
    )


def _write(
    task: Task,
    state: MemoryState | None,
    reader: Reader,
    library: Library,
    room: Room,
    staged: SavedDocument,
    report: Callable[[IngestProgress], None],
) -> MemoryState:
    """The states of all sections: those of `state`, which were saved before, and the others, saved batch by batch."""
    header = task.header
    states, done = ([], 0) if state is None else ([state], state.batch)
    saved = done
    reached = _progress(header, done)
    report(reached)
    leaving: deque[tuple[StateCopy, StateHeader]] = deque()

    def save_first() -> None:
        nonlocal saved, reached
        copy, own = leaving.popleft()
        states.append(copy.wait())
        library.save_partial(staged, saved, states[-1], own)
        saved += states[-1].batch
        reached = _progress(header, saved)
        report(reached)

    for batch in batches(task.chunks[done:], room):
        sections = header.sections[done : done + len(batch)]
        refining = replace(reached, batch_tokens=sum(section.tokens for section in sections))

        def report_step(step: int, nats: float, refining: IngestProgress = refining) -> None:
            report(replace(refining, refine_step=step, nats=nats))

        kept = Refining(library, staged, done, replace(header, sections=sections))
        state = write_sections(
            batch,
            reader,
            header.refine_steps,
            pass_sections=room.pass_sections,
            on_step=report_step,
            begun=kept.begun(),
            keep=kept.keep,
        )
        leaving.append((StateCopy(state), replace(header, sections=sections)))
        done += len(batch)
        # A card writes the next batch while one is saved; a refinement takes too long for that.
        while leaving and (len(leaving) > 1 or leaving[0][0].at_once or header.refine_steps):
            save_first()
    while leaving:
        save_first()
    return MemoryState.cat(states)


def _progress(header: StateHeader, done: int) -> IngestProgress:
    return IngestProgress(
        sections_written=done,
        sections_total=header.sections_total,
        tokens_written=sum(section.tokens for section in header.sections[:done]),
        tokens_total=header.tokens_written,
        refine_steps=header.refine_steps,
    )


def _resume(
    document: Document, reader: Reader, library: Library, header: StateHeader, *, restart: bool
) -> tuple[SavedDocument, MemoryState | None]:
    """Stage the document, with what an interrupted ingest by this reader with these settings wrote of it."""
    staged = library.begin(document, restart=restart)
    try:
        partial = staged.partial_state()
    except StateFileError:
        return library.begin(
            document, restart=True
        ), None  # a torn save: the sections have to be written again
    if partial is None:
        return staged, None
    if fits(partial[1], header):
        return staged, partial[0]
    return library.begin(document, restart=True), None


def _same_writer(saved: SavedDocument, fresh: StateHeader) -> bool:
    try:
        return fits(saved.header(), fresh)
    except DmdocError:
        return False  # damaged: it has to be written again


def _ignore(_: IngestProgress) -> None:
    pass
