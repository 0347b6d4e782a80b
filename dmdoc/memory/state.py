"""The δ-mem state of a text: one small float32 tensor a layer. Knows nothing about models or files.

Source: arXiv 2605.12357; a state is S in `S ← λ⊙S − β⊙(S k)kᵀ + β⊙v kᵀ` (see delta_rule.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dmdoc.errors import StateShapeError
from dmdoc.memory.token_vectors import TokenVectors


@dataclass(frozen=True)
class MemoryState:
    """State in, state out: passes take one and return another; nobody changes one in place.

    Raises:
        StateShapeError: a layer is not float32 `[batch, heads, rank, rank]`, the layers disagree, or there are vectors
            of more or fewer texts.
    """

    layers: tuple[Tensor, ...]
    """One tensor a layer, `[batch, heads, rank (value rows), rank (keys)]`, float32, all on one device.

    A row of the batch is the state of one text: in training a document, in a saved document one of its sections.
    """
    vectors: TokenVectors | None = None
    """What is kept of the tokens of these texts, beside the state; None where nothing is."""

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
        if self.vectors is not None and len(self.vectors.rows) != first.shape[0]:
            raise StateShapeError(
                f"a state of batch {first.shape[0]} has vectors of {len(self.vectors.rows)} texts"
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
        vectors = TokenVectors.cat([state.vectors for state in states], [state.batch for state in states])
        layers = zip(*(state.layers for state in states), strict=True)
        return cls(tuple(torch.cat(own) for own in layers), vectors)

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
        vectors = None if self.vectors is None else self.vectors.to(device)
        return MemoryState(tuple(layer.to(device) for layer in self.layers), vectors)

    def with_layers(self, layers: Sequence[Tensor]) -> "MemoryState":
        """Other numbers for the same texts."""
        return replace(self, layers=tuple(layers))

    def detach(self) -> "MemoryState":
        return self.with_layers([layer.detach() for layer in self.layers])

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
        vectors = None if self.vectors is None else self.vectors.select(rows.tolist())
        return MemoryState(tuple(layer.index_select(0, rows) for layer in self.layers), vectors)

    def rows(self, start: int, stop: int) -> "MemoryState":
        """The rows from `start` to before `stop`, or to the last one (no copy); differentiable."""
        vectors = None if self.vectors is None else self.vectors.select(range(self.batch)[start:stop])
        return MemoryState(tuple(layer[start:stop] for layer in self.layers), vectors)

    def equals(self, other: "MemoryState") -> bool:
        """Bit-for-bit equality."""
        if self.shape != other.shape or (self.vectors is None) != (other.vectors is None):
            return False
        return (self.vectors is None or self.vectors.equals(other.vectors)) and all(
            torch.equal(mine, theirs) for mine, theirs in zip(self.layers, other.layers, strict=True)
        )
