"""The δ-mem state of a text: one small float32 tensor a layer. Knows nothing about models or files.

Source: arXiv 2605.12357; a state is S in `S ← λ⊙S − β⊙(S k)kᵀ + β⊙v kᵀ` (see delta_rule.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dmdoc.errors import StateShapeError


@dataclass(frozen=True)
class MemoryState:
    """State in, state out: passes take one and return another; nobody changes one in place.

    Raises:
        StateShapeError: a layer is not float32 `[batch, heads, rank, rank]`, or the layers disagree.
    """

    layers: tuple[Tensor, ...]
    """One tensor a layer, `[batch, heads, rank (value rows), rank (keys)]`, float32, all on one device.

    A row of the batch is the state of one text: in training a document, in a saved document one of its sections.
    """

    def __post_init__(self) -> None:
        if not self.layers:
            raise StateShapeError("a memory state needs at least one layer, got none")
        first = self.layers[0]
        for index, layer in enumerate(self.layers):
            if layer.dtype != torch.float32 or layer.dim() != 4 or layer.shape[-1] != layer.shape[-2]:
                raise StateShapeError(
                    "a memory state layer is float32 [batch, heads, rank, rank], "
                    f"got {layer.dtype} {list(layer.shape)} in layer {index}"
                )
            if layer.shape != first.shape or layer.device != first.device:
                raise StateShapeError(
                    f"all layers of a memory state share one shape and device; layer 0 is {list(first.shape)} "
                    f"on {first.device}, layer {index} is {list(layer.shape)} on {layer.device}"
                )

    @classmethod
    def zeros(
        cls, layers: int, heads: int, rank: int, *, batch: int = 1, device: torch.device | str = "cpu"
    ) -> "MemoryState":
        """The state that has read nothing."""
        shape = (batch, heads, rank, rank)
        return cls(tuple(torch.zeros(shape, dtype=torch.float32, device=device) for _ in range(layers)))

    @classmethod
    def cat(cls, states: Sequence["MemoryState"]) -> "MemoryState":
        """The rows of several states in one batch, in that order.

        Raises:
            StateShapeError: they differ in layers, heads, rank or device.
        """
        first = states[0]
        for state in states[1:]:
            if state.shape[0] != first.shape[0] or state.shape[2:] != first.shape[2:]:
                raise StateShapeError(
                    f"states in one batch share layers, heads and rank; got {first.shape} and {state.shape}"
                )
            if state.device != first.device:
                raise StateShapeError(
                    f"states in one batch share a device; got {first.device} and {state.device}"
                )
        return cls(tuple(torch.cat(layers) for layers in zip(*(s.layers for s in states), strict=True)))

    @property
    def batch(self) -> int:
        return self.layers[0].shape[0]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(layers, batch, heads, rank)."""
        batch, heads, rank, _ = self.layers[0].shape
        return len(self.layers), batch, heads, rank

    @property
    def device(self) -> torch.device:
        return self.layers[0].device

    @property
    def numbers(self) -> int:
        """How many float32 numbers one row holds."""
        return sum(layer[0].numel() for layer in self.layers)

    def to(self, device: torch.device | str) -> "MemoryState":
        return MemoryState(tuple(layer.to(device) for layer in self.layers))

    def detach(self) -> "MemoryState":
        return MemoryState(tuple(layer.detach() for layer in self.layers))

    def expand(self, batch: int) -> "MemoryState":
        """One state for `batch` reads at once (no copy).

        Raises:
            StateShapeError: this state already has several rows.
        """
        if self.batch != 1:
            raise StateShapeError(f"only a state of batch 1 can be expanded, this one has batch {self.batch}")
        return MemoryState(tuple(layer.expand(batch, -1, -1, -1) for layer in self.layers))

    def select(self, rows: Tensor) -> "MemoryState":
        """The rows `rows` (int64 `[n]`), in that order; differentiable."""
        return MemoryState(tuple(layer.index_select(0, rows) for layer in self.layers))

    def rows(self, start: int, stop: int) -> "MemoryState":
        """The rows from `start` to before `stop`, or to the last one (no copy); differentiable."""
        return MemoryState(tuple(layer[start:stop] for layer in self.layers))

    def equals(self, other: "MemoryState") -> bool:
        """Bit-for-bit equality."""
        return self.shape == other.shape and all(
            torch.equal(mine, theirs) for mine, theirs in zip(self.layers, other.layers, strict=True)
        )
