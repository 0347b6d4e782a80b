"""Settings of one run, as frozen dataclasses. Knows nothing about where the values come from."""

import math
from dataclasses import dataclass

from dmdoc.errors import UsageError

EVIDENCE_PASSAGES = 3
"""Passages in the prompt of `evidence` where nothing else is asked for."""

MOST_SEED = 2**63 - 1
"""The largest seed that every generator of random numbers takes."""


@dataclass(frozen=True)
class GenerationSettings:
    """How an answer is drawn.

    Raises:
        UsageError: a value that cannot be used.
    """

    max_tokens: int = 256
    """The most new tokens of an answer."""
    temperature: float = 0.0
    """0 takes the likeliest token each time; above it, tokens are drawn from the softened distribution."""
    top_p: float = 1.0
    """Draw from the likeliest tokens that together have this probability."""
    seed: int = 0
    """Of the draw; without effect at temperature 0."""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise UsageError(f"max_tokens must be at least 1, got {self.max_tokens}")
        if not (0 <= self.temperature < math.inf):
            raise UsageError(f"temperature must be a number, 0 or more, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"top_p must be above 0 and at most 1, got {self.top_p}")
        if not 0 <= self.seed <= MOST_SEED:
            raise UsageError(f"seed must be from 0 to {MOST_SEED}, got {self.seed}")
