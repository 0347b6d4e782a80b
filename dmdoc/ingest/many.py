"""Read many documents: a long one by itself, short ones many at a time, so that they share forward passes.

One that fails stops no other. What an interrupted run finished is unchanged for the next. Knows nothing about
terminals or options.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from dmdoc.document import Document
from dmdoc.errors import DmdocError
from dmdoc.ingest.sections import write_unlike
from dmdoc.ingest.single import IngestResult, Status, already_done, carry_out, result_of
from dmdoc.ingest.task import Task, check_settings, plan
from dmdoc.library.library import Library
from dmdoc.memory.state import MemoryState
from dmdoc.model.reader import Reader
from dmdoc.progress import ShowProgress

SHORT = 1024
"""Tokens up to which a document is written together with others."""

TOGETHER = 4096
"""Tokens of short documents from which on they are written."""


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
    tags: Sequence[str] = (),
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
    saving = _Saving(reader, library, tags, force, show_progress)
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
            yield from saving.together(waiting)
            waiting.clear()
        if not short:
            yield saving.alone(source, task)
    yield from saving.together(waiting)


@dataclass(frozen=True)
class _Saving:
    """How the documents of a run are written and saved."""

    reader: Reader
    library: Library
    tags: Sequence[str]
    force: bool
    show_progress: ShowProgress

    def alone(self, source: str, task: Task) -> Outcome:
        try:
            with self.show_progress(task.document.name) as progress:
                result = carry_out(
                    task, self.reader, self.library, tags=self.tags, force=self.force, progress=progress
                )
        except DmdocError as error:
            return Outcome(source, error=error)
        return Outcome(source, result)

    def together(self, waiting: Sequence[tuple[str, Task]]) -> list[Outcome]:
        """Write the sections of all documents in shared passes, then save one after the other.

        A document is locked while it is saved alone: a run of thousands holds one lock at a time.
        """
        if len(waiting) == 1:
            return [self.alone(*waiting[0])]
        started = time.monotonic()
        done = {source: outcome for source, task in waiting if (outcome := self._done(source, task))}
        left = [(source, task) for source, task in waiting if source not in done]
        if left:
            states = write_unlike([chunk for _, task in left for chunk in task.chunks], self.reader).to("cpu")
            seconds, first = (time.monotonic() - started) / len(left), 0
            for source, task in left:
                state = states.rows(first, first + len(task.chunks))
                first += len(task.chunks)
                done[source] = self._saved(source, task, state, seconds)
        return [done[source] for source, _ in waiting]

    def _done(self, source: str, task: Task) -> Outcome | None:
        """What there is to tell of a document that needs no writing."""
        try:
            self.library.status(task.document)  # or the name is taken
            result = None if self.force else already_done(task, self.library, self.tags)
        except DmdocError as error:
            return Outcome(source, error=error)
        return None if result is None else Outcome(source, result)

    def _saved(self, source: str, task: Task, state: MemoryState, seconds: float) -> Outcome:
        try:
            with self.library.lock(task.document.name):
                status: Status = "added" if self.library.status(task.document) == "new" else "updated"
                staged = self.library.begin(task.document, restart=True)
                saved = self.library.finish(staged, state, task.header, tags=self.tags)
        except DmdocError as error:
            return Outcome(source, error=error)
        return Outcome(source, result_of(task, saved, status, seconds))
