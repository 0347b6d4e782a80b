"""Texts of unequal length end to end in one row, so that a model computes no padding; and padded, for the scan.

A memory's numbers of a token are few, a model's are many. Knows nothing about models.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dmdoc.memory.copying import on_device


@dataclass(frozen=True)
class EndToEnd:
    """Where the tokens of several texts stand in one row."""

    longest: int
    """Tokens of the longest text."""
    bounds: Tensor
    """int32 `[texts + 1]`: where each text begins, and where the last one ends."""
    positions: Tensor
    """int64 `[1, tokens]`: the place of each token in its own text."""
    padded: Tensor
    """int64 `[texts, longest]`: the token of the row at each place of the padded texts; any one for padding."""
    places: Tensor
    """int64 `[tokens]`: the place of each token among the padded texts, one after another."""

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device) -> "EndToEnd":
        """Args: lengths: of the texts, in tokens."""
        each = torch.tensor(lengths).unsqueeze(1)  # [texts, 1]
        ends, place = each.cumsum(0), torch.arange(max(lengths))
        shown = place < each
        return cls(
            max(lengths),
            on_device(functional.pad(ends.flatten(), (1, 0)), device).int(),
            on_device(place.expand_as(shown)[shown].unsqueeze(0), device),
            on_device(ends - each + place.minimum(each - 1), device),
            on_device(shown.flatten().nonzero().flatten(), device),
        )

    def apart(self, row: Tensor) -> Tensor:
        """`[1, tokens, numbers]` → `[texts, longest, numbers]`; what stands at padding is of no meaning."""
        return row[0, self.padded]

    def joined(self, padded: Tensor) -> Tensor:
        """`[texts, heads, longest, numbers]` → `[1, heads, tokens, numbers]`."""
        return padded.transpose(1, 2).flatten(0, 1)[self.places].transpose(0, 1).unsqueeze(0)
