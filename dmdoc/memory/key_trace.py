"""Keys that remember: a gated trace over the keys of the tokens before, one decay for each state head and token.

    k̃_t = keep_t k̃_{t−1} + add_t k_t

A short causal memory in front of the delta rule, as convolutions are in its relatives, but as long as its gates make
it: under such a key a value is filed with the words that were said before it, and not the last of them alone.
"""

from torch import Tensor
from torch.nn import functional


def trace_keys(keys: Tensor, keep: Tensor, add: Tensor) -> Tensor:
    """The trace after every token.

    By doubling: ⌈log₂ time⌉ steps over whole tensors, exact and differentiable.

    Args:
        keys: `[batch, heads, time, rank]`.
        keep, add: `[batch, heads, time, 1]`, in 0..1.

    Returns:
        `[batch, heads, time, rank]`.
    """
    traced, step = add * keys, 1
    while step < keys.shape[2]:
        earlier = functional.pad(traced, (0, 0, step, 0))[:, :, :-step]
        traced = traced + keep * earlier
        keep = keep * functional.pad(keep, (0, 0, step, 0))[:, :, :-step]
        step *= 2
    return traced
