"""Read many documents: a long one by itself, short ones many at a time, so that they share forward passes.

One that fails stops no other. What an interrupted run finished is unchanged for the next. Knows nothing about
terminals or options.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from dmdoc.document import Document
from dmdoc.errors import DmdocError
from dmdoc.ingest.sections import write_unlike
from dmdoc.ingest.single import IngestResult, Progress, Status, already_done, carry_out, result_of
from dmdoc.ingest.task import Task, check_settings, plan
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument
from dmdoc.model.reader import Reader

SHORT = 1024
"""Tokens up to which a document is written together with others."""

TOGETHER = 4096
"""Tokens of short documents from which on they are written."""

ShowProgress = Callable[[str], AbstractContextManager[Callable[[Progress], None] | None]]
"""A document's name → a context in which the progress of its ingest is shown."""


@dataclass(frozen=True)
class Outcome:
    """What became of one source: a result or an error."""

    source: str
    result: IngestResult | None = None
    error: DmdocError | None = None


def ingest_many(
    sources: Iterable[str],
    read: Callable[[str], Document],
    reader: Reader,
    library: Library,
    *,
    budget: int | None = None,
    refine_steps: int = 0,
    force: bool = False,
    show_progress: ShowProgress,
) -> Iterator[Outcome]:
    """Read, write and save documents, and tell of each as soon as it is saved; arguments as for `ingest`.

    Args:
        read: makes a named document of a source.
        show_progress: of documents that are written by themselves.

    Raises:
        UsageError: no document can be written with these settings.
    """
    check_settings(reader, budget=budget, refine_steps=refine_steps)
    waiting: list[tuple[str, Task]] = []
    for source in sources:
        try:
            task = plan(read(source), reader, budget=budget, refine_steps=refine_steps)
        except DmdocError as error:
            yield Outcome(source, error=error)
            continue
        # Refinement takes long whatever the document: how far it is is shown, and kept.
        short = task.tokens <= SHORT and refine_steps == 0
        if short:
            waiting.append((source, task))
        if not short or sum(task.tokens for _, task in waiting) >= TOGETHER:
            yield from _write_waiting(waiting, reader, library, force, show_progress)
            waiting.clear()
        if not short:
            yield _write_alone(source, task, reader, library, force, show_progress)
    yield from _write_waiting(waiting, reader, library, force, show_progress)


def _write_waiting(
    waiting: Sequence[tuple[str, Task]],
    reader: Reader,
    library: Library,
    force: bool,
    show_progress: ShowProgress,
) -> list[Outcome]:
    if len(waiting) == 1:
        ((source, task),) = waiting
        return [_write_alone(source, task, reader, library, force, show_progress)]
    with ExitStack() as held:
        # Always in the same order, so that two runs never wait for one another.
        for name in sorted(task.document.name for _, task in waiting):
            held.enter_context(library.lock(name))
        return _write_together(waiting, reader, library, force)


def _write_alone(
    source: str, task: Task, reader: Reader, library: Library, force: bool, show_progress: ShowProgress
) -> Outcome:
    try:
        with show_progress(task.document.name) as progress:
            return Outcome(source, carry_out(task, reader, library, force=force, progress=progress))
    except DmdocError as error:
        return Outcome(source, error=error)


def _write_together(
    waiting: Sequence[tuple[str, Task]], reader: Reader, library: Library, force: bool
) -> list[Outcome]:
    """Write the sections of all documents in shared passes; the locks are held."""
    started = time.monotonic()
    outcomes: list[Outcome] = []
    begun: list[tuple[str, Task, Status, SavedDocument]] = []
    for source, task in waiting:
        try:
            if not force and (result := already_done(task, library)):
                outcomes.append(Outcome(source, result))
            else:
                status: Status = "added" if library.status(task.document) == "new" else "updated"
                begun.append((source, task, status, library.begin(task.document, restart=True)))
        except DmdocError as error:
            outcomes.append(Outcome(source, error=error))
    if not begun:
        return outcomes
    states = write_unlike([chunk for _, task, _, _ in begun for chunk in task.chunks], reader).to("cpu")
    seconds = (time.monotonic() - started) / len(begun)
    first = 0
    for source, task, status, staged in begun:
        state = states.rows(first, first + len(task.chunks))
        first += len(task.chunks)
        try:
            saved = library.finish(staged, state, task.header)
            outcomes.append(Outcome(source, result_of(task, saved, status, seconds)))
        except DmdocError as error:
            outcomes.append(Outcome(source, error=error))
    return outcomes
