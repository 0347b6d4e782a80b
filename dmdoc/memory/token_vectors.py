"""A small vector for each token of the texts that a state was written from: what the token means where it stands.

The pass that writes a text makes them (model/pointer.py); they are kept beside the state. Knows nothing about models.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dmdoc.errors import StateShapeError


@dataclass(frozen=True)
class TokenVectors:
    """Those of the rows of a state, in their order.

    Raises:
        StateShapeError: they are not int8 `[tokens, size]`, or more or fewer than the rows have tokens.
    """

    maker: str
    """The fingerprint of the weights that made them, and that alone can read them."""
    whole: Tensor
    """All of them, one row behind the other: int8 `[tokens of all rows, size]`."""
    tokens: tuple[int | None, ...]
    """Of each row how many it has; None where it has none."""

    def __post_init__(self) -> None:
        if self.whole.dtype != torch.int8 or self.whole.dim() != 2:
            raise StateShapeError(
                f"vectors of tokens are int8 [tokens, size], got {self.whole.dtype} {list(self.whole.shape)}"
            )
        if sum(each or 0 for each in self.tokens) != len(self.whole):
            raise StateShapeError(f"{len(self.whole)} vectors are not one for each token of {self.tokens}")

    @classmethod
    def of(cls, maker: str, rows: Iterable[Tensor | None]) -> "TokenVectors":
        """From those of each row, int8 `[tokens, size]`, or None."""
        given = list(rows)
        known = [row for row in given if row is not None]
        whole = torch.cat(known) if known else torch.zeros(0, 1, dtype=torch.int8)
        return cls(maker, whole, tuple(None if row is None else len(row) for row in given))

    @classmethod
    def cat(cls, parts: Sequence["TokenVectors | None"], sizes: Sequence[int]) -> "TokenVectors | None":
        """Those of several states in one.

        Args:
            sizes: how many rows each state has.

        Returns:
            None where no part has any, or where they are of different makers or sizes.
        """
        known = [part for part in parts if part is not None]
        with_any = [part for part in known if len(part.whole)] or known[:1]
        if len({(part.maker, part.whole.shape[1]) for part in with_any}) != 1:
            return None
        whole = torch.cat([part.whole for part in with_any])
        rows = [
            (None,) * size if part is None else part.tokens for part, size in zip(parts, sizes, strict=True)
        ]
        return cls(with_any[0].maker, whole, tuple(row for own in rows for row in own))

    @property
    def rows(self) -> tuple[Tensor | None, ...]:
        """Of each row int8 `[tokens, size]` (no copy), or None."""
        parts = iter(torch.split(self.whole, [each for each in self.tokens if each is not None]))
        return tuple(None if each is None else next(parts) for each in self.tokens)

    def select(self, rows: Sequence[int]) -> "TokenVectors":
        own = self.rows
        return TokenVectors.of(self.maker, [own[row] for row in rows])

    def to(self, device: torch.device | str) -> "TokenVectors":
        return replace(self, whole=self.whole.to(device))

    @property
    def numbers(self) -> int:
        """How many there are, a byte each."""
        return self.whole.numel()

    def equals(self, other: "TokenVectors | None") -> bool:
        """Bit-for-bit equality."""
        if other is None or (self.maker, self.tokens) != (other.maker, other.tokens):
            return False
        return torch.equal(self.whole, other.whole)
