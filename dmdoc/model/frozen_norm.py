"""RMSNorm with a weight that learns nothing, for a processor: fewer passes over the numbers than autograd takes.

With x̂ = x / rms(x) and y = w ⊙ x̂, the gradient of x is (w ⊙ g − x̂ · mean(w ⊙ g ⊙ x̂)) / rms(x). Knows torch alone.
"""

from typing import Any

import torch
from torch import Tensor


def frozen_norm(hidden: Tensor, weight: Tensor, eps: float) -> Tensor:
    """hidden `[…, features]`, weight `[features]`, which gets no gradient."""
    normed: Tensor = _FrozenNorm.apply(hidden, weight, eps)  # type: ignore[no-untyped-call]
    return normed


class _FrozenNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, eps: float) -> Tensor:
        length = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True, dtype=torch.float32)
        scale = (length.square_() / hidden.shape[-1] + eps).rsqrt_()
        ctx.save_for_backward(hidden, weight, scale)
        normed: Tensor = (hidden * scale).to(hidden.dtype)
        return normed.mul_(weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        hidden, weight, scale = ctx.saved_tensors
        weighted = gradients[0] * weight
        along = (weighted * hidden).sum(-1, keepdim=True, dtype=torch.float32)
        along *= scale**3 / -hidden.shape[-1]
        return weighted.mul_(scale.to(hidden.dtype)).addcmul_(hidden, along.to(hidden.dtype)), None, None
