"""The numbers of a state as its file holds them: a byte each, and for each head of each text how much a step is.

A state has about as many numbers as its text has bytes times sixty, and 8 bits a number keep what it recalls
(docs/long-documents.md). Rounding again changes nothing, so that a state may be saved and read any number of times.
"""

import torch
from torch import Tensor

from dmdoc.memory.state import MemoryState

STEPS = 127
"""The largest number of a head is so many steps; int8 holds as many either way."""

_KEPT_BITS = 16
"""Bits of a step's significand: 127 times such a number is exact in float32, so that rounding again finds it again."""


def to_bytes(layer: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers of a layer `[batch, heads, rank, rank]` → (how much a step is, float32 `[batch, heads]`; steps, int8)."""
    largest = layer.detach().abs().amax((2, 3))
    fraction, exponent = torch.frexp(largest / STEPS)
    size = torch.ldexp(torch.ceil(fraction * 2**_KEPT_BITS) / 2**_KEPT_BITS, exponent)
    steps = torch.where(largest > 0, size, 1)[:, :, None, None]
    return size, torch.round(layer.detach() / steps).clamp(-STEPS, STEPS).to(torch.int8)


def from_bytes(size: Tensor, steps: Tensor) -> Tensor:
    """What `to_bytes` keeps of a layer, float32."""
    return steps.float() * size[:, :, None, None]


def rounded(state: MemoryState) -> MemoryState:
    """A state as it will be read from its file."""
    return state.with_layers([from_bytes(*to_bytes(layer)) for layer in state.layers])


def kept_bytes(state: MemoryState) -> int:
    """What its file takes beside the header."""
    layers, batch, heads, _ = state.shape
    vectors = 0 if state.vectors is None else state.vectors.numbers
    return batch * state.numbers + 4 * layers * batch * heads + vectors
