import pytest
import torch
from fake_card import FakeCard

from dmdoc.memory.copying import StateCopy
from dmdoc.memory.state import MemoryState
from dmdoc.memory.token_vectors import TokenVectors

STATE = MemoryState(tuple(torch.randn(3, 1, 4, 4) for _ in range(2)))


def test_on_a_processor_the_copy_is_the_state() -> None:
    copy = StateCopy(STATE)
    assert copy.at_once
    assert copy.wait() is STATE


def test_a_card_is_waited_for_where_the_state_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    card = FakeCard(monkeypatch)
    copy = StateCopy(STATE)
    assert card.told == ["side waits for main", "on side", "copy begun"]
    assert not copy.at_once
    copied = copy.wait()
    assert card.told[3:] == ["copy awaited"]
    assert copied.equals(STATE)
    assert copied.layers[0].data_ptr() != STATE.layers[0].data_ptr()
    assert copy.wait() is copied
    assert card.told[3:] == ["copy awaited"]


def test_its_vectors_come_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCard(monkeypatch)
    rows = [torch.full((tokens, 4), tokens, dtype=torch.int8) for tokens in (3, 1, 2)]
    state = MemoryState(STATE.layers, TokenVectors.of("one", rows))
    copied = StateCopy(state).wait()
    assert copied.equals(state)
    assert copied.vectors is not None
    assert state.vectors is not None
    assert copied.vectors.whole.data_ptr() != state.vectors.whole.data_ptr()
