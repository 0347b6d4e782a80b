"""How much is written and refined at once, and what that takes of a card's memory: known before an ingest begins.

Knows nothing about documents. What does not fit after all is halved (model/batching.py).
"""

from dataclasses import dataclass

from dmdoc.model.footprint import free_bytes, refine_bytes, weight_bytes, write_bytes
from dmdoc.model.reader import Reader
from dmdoc.refine.practice import STEP_COLUMNS, STEP_SUPERVISED
from dmdoc.refine.steps import PASS_SECTIONS

BATCH_TOKENS = 1024
"""Of sections in one batch, padding included; a longer section is a batch of its own.
2,048 gave no more documents a second on two cores."""

CARD_BATCH_TOKENS = 16_384
"""The same on a card, which waits less for its launches the more each of them has to do."""

CARD_PASS_SECTIONS = 16
"""Sections in one pass of a step of refinement on a card."""

_FILLED = 0.9
"""The share of the free memory that is planned with."""


@dataclass(frozen=True)
class Room:
    """What is done at once, and what that takes beside the weights."""

    batch_tokens: int
    """The most tokens of the sections in one batch, padding included; a longer section is a batch of its own."""
    pass_sections: int
    """Sections in one pass of refinement."""
    needed: int
    """Bytes of the largest pass."""
    weights: int
    """Bytes of the model and the adapter."""
    free: int | None = None
    """Bytes beside the weights; None where it is not known, as on a processor."""
    lowered: bool = False
    """Less is done at once than would be with more memory."""

    @property
    def together(self) -> int:
        """Tokens of short documents from which on they are written: enough to sort them by length."""
        return 4 * self.batch_tokens

    @property
    def line(self) -> str:
        """One line for the user."""
        line = f"one batch of up to {self.batch_tokens:,} tokens takes about {_size(self.needed)}"
        line += f" beside {_size(self.weights)} of weights"
        if self.free is None:
            return line
        line += f"; {_size(self.free)} are free"
        if self.needed > self.free:
            return f"{line}: it may not fit; take a smaller write budget or a smaller model"
        return f"{line}, so that batches are smaller than they could be" if self.lowered else line


def room_for(reader: Reader, refine_steps: int = 0, budget: int | None = None) -> Room:
    """What is done at once where this reader runs: as much as is worth it, or as fits.

    Args:
        budget: the most tokens of a section; the reader's write budget if None.
    """
    free = free_bytes(reader.backbone.device)
    longest = min(budget or reader.write_budget, reader.write_budget)
    tokens, sections = BATCH_TOKENS, PASS_SECTIONS
    if free is not None:
        tokens, sections = CARD_BATCH_TOKENS, CARD_PASS_SECTIONS
    wanted = (tokens, sections)

    def written() -> int:
        return write_bytes(reader, max(tokens, longest))

    def refined() -> int:
        return refine_bytes(reader, sections, STEP_COLUMNS, STEP_SUPERVISED) if refine_steps else 0

    if free is not None:
        while written() > _FILLED * free and tokens > longest:
            tokens = max(longest, tokens // 2)
        while refined() > _FILLED * free and sections > 1:
            sections //= 2
    return Room(
        tokens, sections, max(written(), refined()), weight_bytes(reader), free, (tokens, sections) != wanted
    )


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e8 else f"{number / 1e6:.1f} MB"
