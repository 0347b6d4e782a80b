"""What comes next is made in a thread while what was made before is worked on. Knows nothing about documents."""

from collections.abc import Iterator
from queue import Empty, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], most: int) -> Iterator[T]:
    """The same items in the same order, of which up to `most` are made before they are asked for.

    What making one raises is raised where it would stand. A consumer that stops stops the thread after the item
    that it is making; nobody waits for that.
    """
    made: Queue[tuple[T | None, BaseException | None]] = Queue(most)
    stopped = Event()

    def make() -> None:
        try:
            for item in items:
                made.put((item, None))
                if stopped.is_set():
                    return
            made.put((None, StopIteration()))
        except BaseException as error:  # whatever it is, it is the consumer's
            made.put((None, error))

    Thread(target=make, name="ahead", daemon=True).start()
    try:
        while True:
            item, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        while True:  # there is room for what it puts last
            try:
                made.get_nowait()
            except Empty:
                break
