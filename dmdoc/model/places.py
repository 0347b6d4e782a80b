"""Fixed places on a card for steps and for the state that they read: a step recorded once serves every document.

Knows nothing about text.
"""

from typing import Any

import torch

from dmdoc.memory.state import MemoryState
from dmdoc.model.steps import FixedSteps

ROOM = 256
"""Tokens by which room grows: questions of like length share a recorded step."""

MOST = 8
"""Sets of places that are kept, the last used ones."""


def keeps_places(device: torch.device) -> bool:
    """Whether answers on a device are worth recording: a card waits for launches, a processor does not."""
    return device.type == "cuda"


class FixedPlaces:
    """A set of places for each number of rows and size of room."""

    def __init__(self) -> None:
        self._sets: dict[tuple[int, int, bool], tuple[FixedSteps, MemoryState | None]] = {}

    def take(
        self, model: Any, device: torch.device, rows: int, tokens: int, state: MemoryState | None
    ) -> tuple[FixedSteps, MemoryState | None]:
        """Steps for rows of at most so many tokens, and the place of the state, into which it is copied."""
        key = (rows, -(-tokens // ROOM) * ROOM, state is not None)
        found = self._sets.pop(key, None)
        if found is None:
            place = None if state is None else MemoryState(tuple(layer.clone() for layer in state.layers))
            found = FixedSteps(model, rows, key[1], device), place
            while len(self._sets) >= MOST:
                self._sets.pop(next(iter(self._sets)))
        self._sets[key] = found
        steps, place = found
        if place is not None and state is not None:
            for mine, given in zip(place.layers, state.layers, strict=True):
                mine.copy_(given)
        return steps, place
