"""Adam in a turned basis: the one in which the gradients of a state's head so far fall into parts of their own.

A gradient of a state is a sum of products of what a read should have been with the query that read it, and queries
crowd into a few directions. Adam sizes the numbers of a state one by one, so that a step for one question is a step for
all. Turned to the principal directions, what questions share is a few columns, and what tells one from another has
columns of its own, with steps of their own size.

Source: SOAP (arXiv 2409.11321), one-sided. Knows nothing about reads, sections or models.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

BETAS = (0.7, 0.9)
"""How much of the mean and of the mean square of gradients a step keeps: few steps are taken, so it forgets soon."""

DECAY = 1.5
"""By so much, times the learning rate, a step shrinks what was added: what is not asked for goes back to the write."""

KEPT = ("steps", "mean", "square", "seen")
"""The names of what it takes to go on."""

DAMPING = 0.05
"""Of a head's root mean square: directions in which its gradients are smaller hold nothing but rounding."""

_SMALLEST = 1e-8
"""Keeps the division finite where nothing was asked of a head."""


class Optimiser:
    """Takes steps on one tensor of matrices `[…, rank (value rows), rank (keys)]`, each by itself."""

    def __init__(self, weights: Tensor) -> None:
        self._weights = weights
        self._steps = torch.zeros(())
        self._mean = torch.zeros_like(weights)
        """Of the gradients, a running one."""
        self._square = torch.zeros_like(weights)
        """Of their squares, in the turned basis."""
        self._seen = torch.zeros_like(weights)
        """Of their products with themselves over the value rows, `[…, rank (keys), rank (keys)]`."""

    def step(self, gradient: Tensor, rate: float) -> None:
        """Move the weights against a gradient, each number of the turned ones by about `rate`."""
        first, second = BETAS
        self._steps += 1
        self._mean.lerp_(gradient, 1 - first)
        self._seen.lerp_(gradient.mT @ gradient, 1 - second)
        _, turn = torch.linalg.eigh(self._seen)
        self._square.lerp_((gradient @ turn).square_(), 1 - second)
        mean = self._mean @ turn / (1 - first**self._steps)
        square = self._square / (1 - second**self._steps)
        spread = square.sqrt() + DAMPING * square.mean((-2, -1), keepdim=True).sqrt() + _SMALLEST
        with torch.no_grad():
            self._weights.mul_(1 - rate * DECAY).sub_(rate * (mean / spread) @ turn.mT)

    def kept(self) -> dict[str, Tensor]:
        """All that it takes to go on, by the names in `KEPT`; the tensors themselves."""
        return dict(zip(KEPT, (self._steps, self._mean, self._square, self._seen), strict=True))

    def take_up(self, kept: Mapping[str, Tensor]) -> None:
        """Go on from what another one kept."""
        for name, own in self.kept().items():
            own.copy_(kept[name])
