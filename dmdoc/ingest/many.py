"""Read many documents: a long one by itself, short ones many at a time, so that they share forward passes.

One that fails stops no other. What an interrupted run finished is unchanged for the next. Knows nothing about
terminals or options.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dmdoc.document import Document
from dmdoc.errors import DmdocError
from dmdoc.ingest.ahead import ahead
from dmdoc.ingest.room import Room, room_for
from dmdoc.ingest.sections import write_unlike
from dmdoc.ingest.single import IngestResult, Status, already_done, carry_out, result_of
from dmdoc.ingest.task import Task, check_settings, plan
from dmdoc.library.library import Library
from dmdoc.memory.copying import StateCopy
from dmdoc.memory.state import MemoryState
from dmdoc.model.reader import Reader
from dmdoc.progress import ShowProgress

AHEAD = 8
"""Documents that are read and cut into chunks while a card writes others."""


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
    room: Room | None = None,
    show_progress: ShowProgress,
) -> Iterator[Outcome]:
    """Read, write and save documents, and tell of each as soon as it is saved; arguments as for `ingest`.

    Args:
        read: makes a named document of a source.
        room: what is written at once; as `room_for` has it if None. Documents that do not fill a batch share one.
        show_progress: of documents that are written by themselves.

    Raises:
        UsageError: no document can be written with these settings.
    """
    check_settings(reader, budget=budget, refine_steps=refine_steps)
    room = room or room_for(reader, refine_steps, budget)
    waiting: list[tuple[str, Task]] = []
    saving = _Saving(reader, library, room, tags, force, show_progress)

    def planned() -> Iterator[tuple[str, Task | DmdocError]]:
        for source in sources:
            try:
                yield source, plan(read(source), reader, budget=budget, refine_steps=refine_steps)
            except DmdocError as error:
                yield source, error

    # A processor has nothing to spare while it writes.
    made = ahead(planned(), AHEAD) if reader.backbone.device.type == "cuda" else planned()
    for source, task in made:
        if isinstance(task, DmdocError):
            yield Outcome(source, error=task)
            continue
        # Refinement takes long whatever the document: how far it is is shown, and kept.
        short = task.tokens <= room.batch_tokens and refine_steps == 0
        if short:
            waiting.append((source, task))
        if not short or sum(task.tokens for _, task in waiting) >= room.together:
            yield from saving.together(waiting)
            waiting = []
        if not short:
            yield from saving.end()
            yield saving.alone(source, task)
    yield from saving.together(waiting)
    yield from saving.end()


@dataclass(frozen=True)
class _Written:
    """Documents that were written together and are not saved yet."""

    waiting: Sequence[tuple[str, Task]]
    done: dict[str, Outcome]
    """What there is to tell of those that needed no writing."""
    copy: StateCopy | None
    """The states of the others; None if there are none."""
    started: float


@dataclass(frozen=True)
class _Saving:
    """How the documents of a run are written and saved."""

    reader: Reader
    library: Library
    room: Room
    tags: Sequence[str]
    force: bool
    show_progress: ShowProgress
    _written: list[_Written] = field(default_factory=list, init=False)

    def alone(self, source: str, task: Task) -> Outcome:
        try:
            with self.show_progress(task.document.name) as progress:
                result = carry_out(
                    task,
                    self.reader,
                    self.library,
                    self.room,
                    tags=self.tags,
                    force=self.force,
                    progress=progress,
                )
        except DmdocError as error:
            return Outcome(source, error=error)
        return Outcome(source, result)

    def together(self, waiting: Sequence[tuple[str, Task]]) -> Iterator[Outcome]:
        """Write the sections of all documents in shared passes, then save one after the other.

        A document is locked while it is saved alone: a run of thousands holds one lock at a time. On a card these are
        saved while the next ones are written; what is told of before that are those before them.
        """
        if len(waiting) == 1:
            yield from self.end()
            yield self.alone(*waiting[0])
            return
        started = time.monotonic()
        done = {source: outcome for source, task in waiting if (outcome := self._done(source, task))}
        left = [task for source, task in waiting if source not in done]
        copy = None
        if left:
            copy = StateCopy(
                write_unlike([chunk for task in left for chunk in task.chunks], self.reader, self.room)
            )
        yield from self.end()
        self._written.append(_Written(waiting, done, copy, started))
        if copy is None or copy.at_once:
            yield from self.end()

    def end(self) -> Iterator[Outcome]:
        """Save what is written and not saved yet."""
        while self._written:
            written = self._written.pop()
            yield from self._save_all(written)

    def _save_all(self, written: "_Written") -> list[Outcome]:
        done = dict(written.done)
        if written.copy is not None:
            states, first = written.copy.wait(), 0
            left = [(source, task) for source, task in written.waiting if source not in written.done]
            seconds = (time.monotonic() - written.started) / len(left)
            for source, task in left:
                state = states.rows(first, first + len(task.chunks))
                first += len(task.chunks)
                done[source] = self._saved(source, task, state, seconds)
        return [done[source] for source, _ in written.waiting]

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
