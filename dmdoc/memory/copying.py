"""Numbers on their way to a card, and a state on its way off it, through pinned memory while the card works on.

On a processor there is no way to go, and a copy is done at once. Knows nothing about files.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from dmdoc.memory.state import MemoryState


class StateCopy:
    """The copy of a state, begun where the state is finished and ended where it is needed."""

    def __init__(self, state: MemoryState) -> None:
        """Begin to copy; nobody waits."""
        self._source: Tensor | None = None
        self._vectors: Tensor | None = None
        self._copied: torch.cuda.Event | None = None
        if state.device.type != "cuda":
            self._target = state
            return
        # One tensor is one copy, and it must stay while that goes on: other streams know nothing of it.
        self._source = torch.stack(state.layers)
        pinned = pinned_like(self._source)
        side = _side_stream(self._source.device)
        side.wait_stream(torch.cuda.current_stream(self._source.device))
        vectors = state.vectors
        with torch.cuda.stream(side):
            pinned.copy_(self._source, non_blocking=True)
            if vectors is not None:
                self._vectors, whole = vectors.whole, pinned_like(vectors.whole)
                whole.copy_(self._vectors, non_blocking=True)
                vectors = replace(vectors, whole=whole)
            self._copied = side.record_event()
        self._target = MemoryState(pinned.unbind(), vectors)

    @property
    def at_once(self) -> bool:
        """Nothing is left to be waited for."""
        return self._copied is None

    def wait(self) -> MemoryState:
        """The state on the CPU, as soon as it is there."""
        if self._copied is not None:
            self._copied.synchronize()
            self._copied = self._source = self._vectors = None
        return self._target


def on_device(numbers: Sequence[Any] | Tensor, device: torch.device) -> Tensor:
    """int64 on a device; a card goes on with its work while they are copied."""
    there = torch.as_tensor(numbers)
    return there.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else there


def pinned_like(tensor: Tensor) -> Tensor:
    """Memory of the processor that a card copies into by itself, shaped as a tensor."""
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)


@lru_cache
def _side_stream(device: torch.device) -> "torch.cuda.Stream":
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
