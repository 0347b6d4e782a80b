"""A small vector for each token of the texts that a state was written from: what the token means where it stands.

The pass that writes a text makes them (model/pointer.py); they are kept beside the state. Knows nothing about models.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dmdoc.errors import StateShapeError


@dataclass(frozen=True)
class TokenVectors:
    """Those of the rows of a state, in their order.

    Raises:
        StateShapeError: a row's are not int8 `[tokens, size]`.
    """

    maker: str
    """The fingerprint of the weights that made them, and that alone can read them."""
    rows: tuple[Tensor | None, ...]
    """Of each row int8 `[tokens, size]`; None where there are none."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if row is not None and (row.dtype != torch.int8 or row.dim() != 2):
                raise StateShapeError(
                    f"vectors of tokens are int8 [tokens, size], got {row.dtype} {list(row.shape)}"
                )

    @classmethod
    def cat(cls, parts: Sequence["TokenVectors | None"], sizes: Sequence[int]) -> "TokenVectors | None":
        """Those of several states in one.

        Args:
            sizes: how many rows each state has.

        Returns:
            None where no part has any, or where they are of different makers.
        """
        makers = {part.maker for part in parts if part is not None}
        if len(makers) != 1:
            return None
        rows = [
            (None,) * size if part is None else part.rows for part, size in zip(parts, sizes, strict=True)
        ]
        return cls(makers.pop(), tuple(row for own in rows for row in own))

    def select(self, rows: Sequence[int]) -> "TokenVectors":
        return TokenVectors(self.maker, tuple(self.rows[row] for row in rows))

    def to(self, device: torch.device | str) -> "TokenVectors":
        return TokenVectors(self.maker, tuple(None if row is None else row.to(device) for row in self.rows))

    @property
    def numbers(self) -> int:
        """How many there are, a byte each."""
        return sum(row.numel() for row in self.rows if row is not None)

    def equals(self, other: "TokenVectors | None") -> bool:
        """Bit-for-bit equality."""
        if other is None or (self.maker, len(self.rows)) != (other.maker, len(other.rows)):
            return False
        pairs = zip(self.rows, other.rows, strict=True)
        return all(
            mine is theirs if mine is None or theirs is None else torch.equal(mine, theirs)
            for mine, theirs in pairs
        )
