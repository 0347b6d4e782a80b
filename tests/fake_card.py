"""A card of tensors on the processor, which writes down in which order it is told what; for tests without one."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dmdoc.memory import copying
from dmdoc.memory.state import MemoryState

CARD = SimpleNamespace(type="cuda", index=0)


class FakeCard:
    """Stands in for `torch.cuda` where states are copied; every state lies on it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.told: list[str] = []
        patch.setattr(
            copying, "torch", SimpleNamespace(stack=torch.stack, as_tensor=torch.as_tensor, cuda=self)
        )
        patch.setattr(copying, "pinned_like", torch.empty_like)
        patch.setattr(copying, "_side_stream", lambda device: _Stream(self, "side"))
        patch.setattr(MemoryState, "device", property(lambda state: CARD))

    def current_stream(self, device: Any) -> "_Stream":
        return _Stream(self, "main")

    @contextmanager
    def stream(self, stream: "_Stream") -> Iterator[None]:
        self.told.append(f"on {stream.name}")
        yield


class _Stream:
    def __init__(self, card: FakeCard, name: str) -> None:
        self._card, self.name = card, name

    def wait_stream(self, other: "_Stream") -> None:
        self._card.told.append(f"{self.name} waits for {other.name}")

    def record_event(self) -> "_Event":
        self._card.told.append("copy begun")
        return _Event(self._card)


class _Event:
    def __init__(self, card: FakeCard) -> None:
        self._card = card

    def synchronize(self) -> None:
        self._card.told.append("copy awaited")
