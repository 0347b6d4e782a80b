"""Rows of unequal length in batches: of like length, bounded, and halved where the memory does not suffice.

Whatever pads rows to the longest goes through here, so that one long row costs what it costs alone.
Knows nothing about models.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch

from dmdoc.errors import BackboneError

T = TypeVar("T")

_MAY_LACK = (MemoryError, OSError, RuntimeError)
"""Kinds of errors of which some say that the memory does not suffice."""

MOST_TOKENS = 4096
"""Tokens of one batch, padding included; a longer row is a batch of its own."""

_SPARE = 256
"""Tokens of padding that are not worth a batch of its own."""

_ADVICE = "close other programs, or take a shorter text, a smaller write budget or a smaller model"


def in_batches(
    work: Callable[[Sequence[int]], Sequence[T]], lengths: Sequence[int], *, most: int = MOST_TOKENS
) -> list[T]:
    """What `work` gives for each row, in the order of the rows.

    Args:
        work: the numbers of the rows of a batch → what there is for each of them.
        lengths: of the rows, in tokens.

    Raises:
        BackboneError: the memory does not suffice for a row alone.
    """
    found: dict[int, T] = {}
    for batch in _alike(lengths, most):
        found.update(zip(batch, halving(work, batch), strict=True))
    return [found[number] for number in range(len(lengths))]


def _alike(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Rows of like length together: less than half of a batch is padding, but for a little."""
    batch: list[int] = []
    tokens = 0
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[number]
        padded, tokens = (len(batch) + 1) * length, tokens + length
        if batch and padded > min(most, 2 * tokens + _SPARE):
            yield batch
            batch, tokens = [], length
        batch.append(number)
    if batch:
        yield batch


def halving(work: Callable[[Sequence[int]], Sequence[T]], batch: Sequence[int]) -> list[T]:
    """What `work` gives for a batch, or for its halves one after the other where the memory does not suffice for all.

    Raises:
        BackboneError: as `in_batches`.
    """
    if len(batch) == 1:
        with memory_told():
            return list(work(batch))
    try:
        return list(work(batch))
    except _MAY_LACK as error:
        if not is_out_of_memory(error):
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = len(batch) // 2
    return halving(work, batch[:middle]) + halving(work, batch[middle:])


@contextmanager
def memory_told(what: str = "this") -> Iterator[None]:
    """A context in which a lack of memory is one line.

    Raises:
        BackboneError: the memory of the processor or the card does not suffice.
    """
    try:
        yield
    except _MAY_LACK as error:
        if not is_out_of_memory(error):
            raise
        raise BackboneError(f"there is not enough memory for {what}; {_ADVICE}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error is that the processor's or the card's memory does not suffice."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # PyTorch has no type of its own for the memory of the processor; files that are mapped into it take it too.
    return isinstance(error, OSError | RuntimeError) and any(
        sign in str(error).lower()
        for sign in ("can't allocate memory", "not enough memory", "cannot allocate memory")
    )
