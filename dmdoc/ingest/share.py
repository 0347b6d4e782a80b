"""Documents shared out over writers: processes on this machine, a card each, or on others (ray_writers.py).

One process reads the files and saves the states; the writers only write. A writer knows no library, so that one that
dies has lost nothing but the document that it was writing. Knows nothing about terminals or options.
"""

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dmdoc.document import Document
from dmdoc.errors import DmdocError, StateFileError
from dmdoc.ingest.many import Outcome
from dmdoc.ingest.room import room_for
from dmdoc.ingest.sections import write_all, write_unlike
from dmdoc.ingest.single import Status, already_done, result_of
from dmdoc.ingest.task import Task, fits, plan
from dmdoc.library.library import Library
from dmdoc.memory.state import MemoryState
from dmdoc.memory.state_header import StateHeader
from dmdoc.model.reader import open_reader

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue


@dataclass(frozen=True)
class WriterSettings:
    """What a writer loads, and how it writes; arguments as for `open_reader` and `ingest`."""

    model: str | None
    adapter: str | None
    cache: Path
    device: str = "auto"
    offline: bool = False
    budget: int | None = None
    refine_steps: int = 0
    threads: int | None = None
    """Of the processor, for each writer; torch decides if None."""


@dataclass(frozen=True)
class Order:
    """A document to be written."""

    source: str
    document: Document
    saved: StateHeader | None
    """Of the saved states of the same text: if they are what would be written, nothing is."""


@dataclass(frozen=True)
class Written:
    """What became of an order."""

    source: str
    task: Task | None = None
    state: MemoryState | None = None
    """The states of all sections, on the CPU; None if those that are saved are what would have been written."""
    seconds: float = 0.0
    error: str | None = None


class Writer:
    """Loads a model once and writes one document after another, in a process of its own."""

    def __init__(self, settings: WriterSettings) -> None:
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        self._settings = settings
        self._reader = open_reader(
            settings.model,
            settings.adapter,
            cache=settings.cache,
            device=settings.device,
            offline=settings.offline,
        )
        self._room = room_for(self._reader, settings.refine_steps, settings.budget)
        self._untold = [self._room.line] if self._room.lowered else []

    def write(self, order: Order) -> Written:
        """Carry out an order; what is wrong with it is in the answer."""
        started, steps = time.monotonic(), self._settings.refine_steps
        try:
            task = plan(order.document, self._reader, budget=self._settings.budget, refine_steps=steps)
            if order.saved is not None and fits(order.saved, task.header):
                return Written(order.source, task)
            task, self._untold = replace(task, warnings=(*task.warnings, *self._untold)), []
            if steps:
                state = write_all(task.chunks, self._reader, steps, self._room)
            else:
                state = write_unlike(task.chunks, self._reader, self._room)
        except DmdocError as error:
            return Written(order.source, error=str(error))
        return Written(order.source, task, state.to("cpu"), time.monotonic() - started)


Writers = Callable[[Iterable[Order]], Iterator[Written]]
"""Carries out orders, a few at a time, and gives what was written as soon as it is."""


def share_out(
    sources: Iterable[str],
    read: Callable[[str], Document],
    writers: Writers,
    library: Library,
    *,
    tags: Sequence[str] = (),
    force: bool = False,
) -> Iterator[Outcome]:
    """Read, have written and save documents, and tell of each as soon as it is saved; arguments as `ingest_many`."""
    unread: deque[Outcome] = deque()

    def orders() -> Iterator[Order]:
        for source in sources:
            try:
                document = read(source)
                yield Order(source, document, None if force else _saved(document, library))
            except DmdocError as error:
                unread.append(Outcome(source, error=error))

    for written in writers(orders()):
        while unread:
            yield unread.popleft()
        yield _save(written, library, tags)
    yield from unread


def _saved(document: Document, library: Library) -> StateHeader | None:
    """The header of the saved states of the same text; raises UsageError if the name is taken."""
    if library.status(document) != "unchanged":
        return None
    try:
        return library.get(document.name).header()
    except StateFileError:
        return None


def _save(written: Written, library: Library, tags: Sequence[str]) -> Outcome:
    task = written.task
    if task is None:
        return Outcome(written.source, error=DmdocError(written.error or "nothing was written"))
    name = task.document.name
    try:
        with library.lock(name):
            found = library.status(task.document)
            if written.state is None and (done := already_done(task, library, tags)):
                return Outcome(written.source, done)
            if written.state is None:
                raise DmdocError(f"{name!r} was changed while it was looked at; run the command again")
            staged = library.begin(task.document, restart=True)
            saved = library.finish(staged, written.state, task.header, tags=tags)
            status: Status = "added" if found == "new" else "updated"
            return Outcome(written.source, result_of(task, saved, status, written.seconds))
    except DmdocError as error:
        return Outcome(written.source, error=error)


def in_processes(settings: Sequence[WriterSettings]) -> Writers:
    """Writers on this machine, a process for each of the settings."""

    def run(orders: Iterable[Order]) -> Iterator[Written]:
        context = multiprocessing.get_context("spawn")
        waiting = context.SimpleQueue()
        for each in settings:
            waiting.put(each)
        pool = ProcessPoolExecutor(len(settings), context, _open_writer, (waiting,))
        try:
            yield from in_turn(
                orders, len(settings) + 1, lambda order: pool.submit(_write, order), _next_future
            )
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()  # what it writes now nobody waits for
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    return run


def in_turn(
    orders: Iterable[Order],
    at_once: int,
    submit: Callable[[Order], Any],
    next_done: "Callable[[dict[Any, Order]], tuple[Any, Written]]",
) -> Iterator[Written]:
    """Keep so many orders under way; the next one is only made when there is room for it."""
    running: dict[Any, Order] = {}
    for order in orders:
        running[submit(order)] = order
        if len(running) == at_once:
            done, written = next_done(running)
            del running[done]
            yield written
    while running:
        done, written = next_done(running)
        del running[done]
        yield written


def _next_future(running: "dict[Future[Written], Order]") -> "tuple[Future[Written], Written]":
    done = next(iter(wait(running, return_when=FIRST_COMPLETED).done))
    try:
        return done, done.result()
    except BrokenProcessPool:
        return done, Written(running[done].source, error="the process that wrote it ended; run it again")


_writer: Writer | None = None
"""In a process of `in_processes`: its writer."""


def _open_writer(waiting: "SimpleQueue[WriterSettings]") -> None:
    global _writer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    _writer = Writer(waiting.get())


def _write(order: Order) -> Written:
    assert _writer is not None
    return _writer.write(order)
