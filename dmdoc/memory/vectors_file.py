"""Vectors of tokens as a state file has them: one tensor of all sections, and how many tokens each section has.

torch is imported only to pack or unpack tensors, so that reading a header costs nothing.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from dmdoc.memory.token_vectors import TokenVectors

LARGEST = 16_384
"""Numbers of a vector: what a file claims is believed no further."""


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
        return TokenVectors(self.maker, whole, self.tokens)


def pack_vectors(vectors: "TokenVectors") -> "tuple[str, Tensor]":
    """What metadata are to say of vectors, and all of them in one tensor, int8 `[tokens of all sections, size]`."""
    whole = vectors.whole.cpu()
    return json.dumps({"maker": vectors.maker, "size": whole.shape[1], "tokens": vectors.tokens}), whole


def parse_vectors(said: str, sections: int) -> KeptVectors:
    """
    Raises:
        ValueError, KeyError, TypeError, RecursionError: metadata do not say that of so many sections.
    """
    record = json.loads(said)
    kept = KeptVectors(record["maker"], record["size"], tuple(record["tokens"]))
    if type(kept.maker) is not str or len(kept.tokens) != sections:
        raise ValueError("not vectors of these sections")
    if type(kept.size) is not int or not 0 < kept.size <= LARGEST:
        raise ValueError("not the size of a vector")
    if any(each is not None and (type(each) is not int or each < 0) for each in kept.tokens):
        raise ValueError("not numbers of tokens")
    return kept
