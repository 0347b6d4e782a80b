"""Rows in batches of like length, and batches that are halved where the memory does not suffice."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dmdoc.errors import BackboneError
from dmdoc.model.batching import halving, in_batches, is_out_of_memory, memory_told

NO_MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    RuntimeError("unable to mmap 9 bytes from file <model.safetensors>: Cannot allocate memory (12)"),
    OSError(12, "Cannot allocate memory"),
]


@given(st.lists(st.integers(0, 500)), st.integers(1, 2000))
def test_every_row_is_worked_on_once_and_batches_are_bounded(lengths: list[int], most: int) -> None:
    seen: list[int] = []

    def work(rows: Sequence[int]) -> list[int]:
        seen.extend(rows)
        longest = max(lengths[row] for row in rows)
        assert len(rows) == 1 or len(rows) * longest <= most
        assert len(rows) * longest <= 2 * sum(lengths[row] for row in rows) + 256 or len(rows) == 1
        return [lengths[row] for row in rows]

    assert in_batches(work, lengths, most=most) == lengths
    assert sorted(seen) == list(range(len(lengths)))


def test_one_long_row_stands_alone() -> None:
    batches: list[int] = []

    def work(rows: Sequence[int]) -> Sequence[int]:
        batches.append(len(rows))
        return rows

    in_batches(work, [20] * 3 + [1000] + [21] * 4)
    assert batches == [7, 1]


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda error: type(error).__name__)
def test_a_batch_is_halved_until_it_fits(error: Exception) -> None:
    batches: list[list[int]] = []

    def work(rows: Sequence[int]) -> Sequence[int]:
        if len(rows) > 2:
            raise error
        batches.append(list(rows))
        return rows

    assert halving(work, range(7)) == list(range(7))
    assert batches == [[0], [1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda error: type(error).__name__)
def test_a_row_that_does_not_fit_alone_is_one_line(error: Exception) -> None:
    def work(rows: Sequence[int]) -> Sequence[int]:
        raise error

    with pytest.raises(
        BackboneError, match="there is not enough memory for this; close other programs"
    ) as caught:
        in_batches(work, [5, 6])
    assert "\n" not in str(caught.value)


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_told():
        raise RuntimeError("shapes do not fit")
    assert not is_out_of_memory(ValueError("not enough memory"))


def test_the_processors_own_error_is_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
