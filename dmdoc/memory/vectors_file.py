"""Vectors of tokens as a state file has them: one tensor of all sections, and how many tokens each section has.

torch is imported only to pack or unpack tensors, so that reading a header costs nothing.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from dmdoc.memory.token_vectors import TokenVectors


@dataclass(frozen=True)
class KeptVectors:
    """What the metadata of a state file say of them."""

    maker: str
    size: int
    """Numbers of a vector."""
    tokens: tuple[int | None, ...]
    """Of each section; None where it has no vectors."""

    @property
    def shape(self) -> list[int]:
        """Of the one tensor."""
        return [sum(each or 0 for each in self.tokens), self.size]

    def unpack(self, content: bytes) -> "TokenVectors":
        import numpy
        import torch

        from dmdoc.memory.token_vectors import TokenVectors

        whole = torch.from_numpy(numpy.frombuffer(content, numpy.int8).copy()).view(self.shape)
        parts = iter(torch.split(whole, [each for each in self.tokens if each is not None]))
        return TokenVectors(self.maker, tuple(None if each is None else next(parts) for each in self.tokens))


def pack_vectors(vectors: "TokenVectors") -> "tuple[str, Tensor]":
    """What metadata are to say of vectors, and all of them in one tensor, int8 `[tokens of all sections, size]`."""
    import torch

    rows = [row.cpu() for row in vectors.rows if row is not None]
    whole = torch.cat(rows) if rows else torch.zeros(0, 1, dtype=torch.int8)
    tokens = [None if row is None else len(row) for row in vectors.rows]
    said = json.dumps({"maker": vectors.maker, "size": whole.shape[1], "tokens": tokens})
    return said, whole


def parse_vectors(said: str, sections: int) -> KeptVectors:
    """
    Raises:
        ValueError, KeyError, TypeError: metadata do not say that of so many sections.
    """
    record = json.loads(said)
    kept = KeptVectors(record["maker"], record["size"], tuple(record["tokens"]))
    if (
        type(kept.maker) is not str
        or len(kept.tokens) != sections
        or type(kept.size) is not int
        or kept.size < 1
    ):
        raise ValueError("not vectors of these sections")
    if any(each is not None and (type(each) is not int or each < 0) for each in kept.tokens):
        raise ValueError("not numbers of tokens")
    return kept
