"""Vectors of tokens go where the rows of their state go."""

import pytest
import torch

from dmdoc.errors import StateShapeError
from dmdoc.memory.state import MemoryState
from dmdoc.memory.token_vectors import TokenVectors


def row(tokens: int, value: int = 1) -> torch.Tensor:
    return torch.full((tokens, 4), value, dtype=torch.int8)


def state(*rows: torch.Tensor | None, maker: str = "one") -> MemoryState:
    return MemoryState((torch.zeros(len(rows), 1, 2, 2),), TokenVectors.of(maker, rows))


def sizes(found: MemoryState) -> list[int | None]:
    assert found.vectors is not None
    return [None if each is None else len(each) for each in found.vectors.rows]


def test_rows_keep_their_vectors() -> None:
    whole = state(row(2), None, row(5))
    assert sizes(whole.rows(1, 3)) == [None, 5]
    assert sizes(whole.rows(1, 99)) == [None, 5]
    assert sizes(whole.select(torch.tensor([2, 0, 0]))) == [5, 2, 2]
    assert sizes(whole.to("cpu").detach()) == [2, None, 5]
    assert whole.vectors is not None and whole.vectors.numbers == 28


def test_states_that_are_put_together_keep_theirs() -> None:
    plain = MemoryState((torch.zeros(2, 1, 2, 2),))
    assert sizes(MemoryState.cat([state(row(2)), plain, state(row(3))])) == [2, None, None, 3]
    assert MemoryState.cat([plain, plain]).vectors is None
    assert MemoryState.cat([state(row(2)), state(row(3), maker="other")]).vectors is None


def test_states_with_other_vectors_are_not_equal() -> None:
    one = state(row(2), None)
    assert one.equals(state(row(2), None))
    others = [
        state(row(2, 3), None),
        state(row(3), None),
        state(None, None),
        state(row(2), None, maker="other"),
        MemoryState(one.layers),
    ]
    assert not any(one.equals(other) or other.equals(one) for other in others)


def test_other_vectors_are_refused() -> None:
    with pytest.raises(StateShapeError, match="int8"):
        TokenVectors("one", torch.zeros(2, 4), (2,))
    with pytest.raises(StateShapeError, match="int8"):
        TokenVectors("one", torch.zeros(4, dtype=torch.int8), (4,))
    with pytest.raises(StateShapeError, match="one for each token"):
        TokenVectors("one", row(3), (2, None))
    with pytest.raises(StateShapeError, match="vectors of 1 texts"):
        MemoryState((torch.zeros(2, 1, 2, 2),), TokenVectors("one", row(2), (2,)))


def test_vectors_of_other_sizes_do_not_go_together() -> None:
    wide = MemoryState(
        (torch.zeros(1, 1, 2, 2),), TokenVectors("one", torch.zeros(2, 8, dtype=torch.int8), (2,))
    )
    assert MemoryState.cat([state(row(2)), wide]).vectors is None
    assert sizes(MemoryState.cat([state(None), wide])) == [None, 2]
