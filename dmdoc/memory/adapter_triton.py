"""All that a layer's memory makes of its projections, as one kernel for a card: activations, gates, normalised keys.

The maths is that of `DeltaMemLayer.write_inputs` and `queries` in adapter.py; without gradients. Knows nothing about
models or states.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,misc"

import torch
import triton
import triton.language as tl
from torch import Tensor

from dmdoc.memory.delta_rule_triton import OPTIONS

TOKENS = 16
"""Tokens of one program."""

MODES = ("standard", "lambda_outside", "no_lambda")


@triton.jit
def _tanh(x):
    falling = tl.exp(-2.0 * tl.abs(x))
    size = (1.0 - falling) / (1.0 + falling)
    return tl.where(x < 0, -size, size)


@triton.jit
def _sigmoid(x):
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def _load(projected, token, at, in_rank, shown, WIDTH: tl.constexpr):
    """A block of one projection, `[tokens, numbers]`, in float32."""
    where = token[:, None] * WIDTH + at[None, :]
    loaded = tl.load(projected + where, mask=shown[:, None] & in_rank[None, :], other=0.0)
    return loaded.to(tl.float32)


@triton.jit
def _address(x, NORMALISED: tl.constexpr):
    """A key or a query: tanh, then length 1."""
    if NORMALISED:
        x = _tanh(x)
        length = tl.sqrt(tl.sum(x * x, 1))
        x = x / tl.maximum(length, 1e-6)[:, None]
    return x


@triton.jit
def _inputs(
    projected, beta_bias, lambda_bias, q, k, v, keep, erase, write, time,
    HEADS: tl.constexpr, RANK: tl.constexpr, SIZE: tl.constexpr, GATES: tl.constexpr, TOKENS: tl.constexpr,
    WIDTH: tl.constexpr, MODE: tl.constexpr, HAS_QUERIES: tl.constexpr, HAS_LAMBDA: tl.constexpr,
    NORMALISED: tl.constexpr, SHIFTS: tl.constexpr,
):  # fmt: skip
    """Some tokens of one head; the columns of `projected` are keys, values, β, then λ and queries where they exist."""
    block, row = tl.program_id(0), tl.program_id(1)
    head = row % HEADS
    first = (row // HEADS) * time  # of the text, in rows of `projected`
    t = block * TOKENS + tl.arange(0, TOKENS)
    numbers, gates = tl.arange(0, SIZE), tl.arange(0, SIZE)
    here, in_rank, in_gates = t < time, numbers < RANK, gates < GATES
    read: tl.constexpr = HEADS * RANK
    gate_width: tl.constexpr = HEADS * GATES
    out = (row * time + t)[:, None] * RANK + numbers[None, :]
    full = here[:, None] & in_rank[None, :]

    source = t - 1 if SHIFTS else t  # the token whose key this one writes under; the first has none
    key = _load(projected, first + source, head * RANK + numbers, in_rank, here & (source >= 0), WIDTH)
    tl.store(k + out, _address(key, NORMALISED), mask=full)
    value = _load(projected, first + t, read + head * RANK + numbers, in_rank, here, WIDTH)
    tl.store(v + out, value, mask=full)

    beta = _load(projected, first + t, 2 * read + head * GATES + gates, in_gates, here, WIDTH)
    written = _sigmoid(
        beta + tl.load(beta_bias + head * GATES + gates, mask=in_gates, other=0.0).to(tl.float32)
    )
    kept = 1.0 - written
    if HAS_LAMBDA:
        lam = _load(projected, first + t, 2 * read + gate_width + head * GATES + gates, in_gates, here, WIDTH)
        kept = _sigmoid(
            lam + tl.load(lambda_bias + head * GATES + gates, mask=in_gates, other=0.0).to(tl.float32)
        )
    erased = kept * written if MODE == 1 else written
    if MODE == 2:
        kept = kept * 0.0 + 1.0
    out_gates = (row * time + t)[:, None] * GATES + gates[None, :]
    full_gates = here[:, None] & in_gates[None, :]
    tl.store(keep + out_gates, kept, mask=full_gates)
    tl.store(erase + out_gates, erased, mask=full_gates)
    tl.store(write + out_gates, written, mask=full_gates)
    if HAS_QUERIES:
        at = 2 * read + (2 if HAS_LAMBDA else 1) * gate_width + head * RANK + numbers
        query = _load(projected, first + t, at, in_rank, here, WIDTH)
        tl.store(q + out, _address(query, NORMALISED), mask=full)


def fused_inputs(
    projected: Tensor,
    beta_bias: Tensor,
    lambda_bias: Tensor | None,
    *,
    heads: int,
    rank: int,
    mode: str,
    with_queries: bool,
    normalised: bool,
    shifts_keys: bool,
) -> tuple[Tensor | None, tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
    """The queries, if asked, and (keys, values, keep, erase, write) of every token, all float32 and contiguous.

    Args:
        projected: `[batch, time, keys + values + β (+ λ) (+ queries)]`, in any format.
        beta_bias, lambda_bias: `[gates]`; without the second λ is 1 − β.
        mode: the config's `state_update_mode`.

    Returns:
        Shapes as in `WriteInputs` and `queries`.
    """
    batch, time, width = projected.shape
    gates = len(beta_bias) // heads
    projected = projected.contiguous()

    def empty(numbers: int) -> Tensor:
        return torch.empty(batch, heads, time, numbers, dtype=torch.float32, device=projected.device)

    keys, values, keep, erase, write = empty(rank), empty(rank), empty(gates), empty(gates), empty(gates)
    queries = empty(rank) if with_queries else None
    _inputs[(triton.cdiv(time, TOKENS), batch * heads)](
        projected, beta_bias, beta_bias if lambda_bias is None else lambda_bias,
        keys if queries is None else queries, keys, values, keep, erase, write, time,
        HEADS=heads, RANK=rank, SIZE=max(2, triton.next_power_of_2(rank)), GATES=gates, TOKENS=TOKENS,
        WIDTH=width, MODE=MODES.index(mode), HAS_QUERIES=with_queries, HAS_LAMBDA=lambda_bias is not None,
        NORMALISED=normalised, SHIFTS=shifts_keys, **OPTIONS,
    )  # fmt: skip
    return queries, (keys, values, keep, erase, write)
