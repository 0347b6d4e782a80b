"""The gated delta rule, twice: the formula token by token, and the same maths without a token loop.

Source: arXiv 2605.12357. For one token with key k, value v and query q (`rank` numbers each):

    r = S q                                             read first
    S ← keep⊙S − erase⊙(S k) kᵀ + write⊙v kᵀ            then write (⊙ scales rows)

This module knows torch alone: nothing about projections, gates' origin, layers or models.
"""

from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor
from torch.nn import functional

CHUNK = 16
"""Tokens solved as one triangular system; the work grows with it, the number of chained steps shrinks."""

BLOCK = 2048
"""Tokens whose chunks a CPU solves at once: its caches hold them. A card takes a whole text, in fewer operations."""

IN_TURN = 16
"""Chunks whose maps are applied one after another."""

MAX_KERNEL_RANK = 64
"""The largest rank that the kernels for a card hold in registers; above it the chunked form serves."""


def runs_kernels(tensor: Tensor) -> bool:
    """The tensor lies on a CUDA card and Triton is there to compile kernels for it."""
    return tensor.is_cuda and _has_triton()


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def delta_rule(
    queries: Tensor | None,
    keys: Tensor,
    values: Tensor,
    keep: Tensor,
    erase: Tensor,
    write: Tensor,
    state: Tensor,
    mask: Tensor | None = None,
) -> tuple[Tensor | None, Tensor]:
    """Scan a text through the memory; the one entry that callers use.

    Args:
        queries, keys, values: `[batch, heads, time, rank]`. Without queries nothing is read.
        keep, erase, write: gates, `[batch, heads, time, rank or 1]`, all three alike; 1 means one gate for all rows.
            `keep` is in 0..1.
        state: S before the first token, `[batch, heads, rank (value rows), rank (keys)]`.
        mask: bool `[batch, time]`; a token that is False reads zero and leaves S as it was.

    Returns:
        The reads `[batch, heads, time, rank]` (None without queries) and S after the last token.
    """
    time, rank = keys.shape[2:]
    if time > 2 and runs_kernels(keys) and rank <= MAX_KERNEL_RANK:
        from dmdoc.memory.delta_rule_triton import delta_rule_fused

        return delta_rule_fused(queries, keys, values, keep, erase, write, state, mask)
    if time <= 2:
        return delta_rule_recurrent(queries, keys, values, keep, erase, write, state, mask)
    block = BLOCK if keys.device.type == "cpu" else time
    reads = []
    for start in range(0, time, block):
        span = slice(start, start + block)
        read, state = delta_rule_chunked(
            None if queries is None else queries[:, :, span],
            keys[:, :, span],
            values[:, :, span],
            keep[:, :, span],
            erase[:, :, span],
            write[:, :, span],
            state,
            None if mask is None else mask[:, span],
        )
        if read is not None:
            reads.append(read)
    return torch.cat(reads, dim=2) if reads else None, state


def delta_rule_recurrent(
    queries: Tensor | None,
    keys: Tensor,
    values: Tensor,
    keep: Tensor,
    erase: Tensor,
    write: Tensor,
    state: Tensor,
    mask: Tensor | None = None,
) -> tuple[Tensor | None, Tensor]:
    """The formula, one token at a time. Arguments and result as in `delta_rule`."""
    keep, erase, write = _close_masked_gates(keep, erase, write, mask)
    reads = []
    for t in range(keys.shape[2]):
        key, value = keys[:, :, t, None, :], values[:, :, t, :, None]
        if queries is not None:
            reads.append((state * queries[:, :, t, None, :]).sum(-1))
        recalled = (state * key).sum(-1, keepdim=True)  # S k: [batch, heads, rank, 1]
        state = (
            keep[:, :, t, :, None] * state
            - erase[:, :, t, :, None] * recalled * key
            + write[:, :, t, :, None] * value * key
        )
    if queries is None:
        return None, state
    stacked = torch.stack(reads, dim=2) if reads else torch.zeros_like(queries)
    return _zero_masked_reads(stacked, mask), state


def delta_rule_chunked(
    queries: Tensor | None,
    keys: Tensor,
    values: Tensor,
    keep: Tensor,
    erase: Tensor,
    write: Tensor,
    state: Tensor,
    mask: Tensor | None = None,
) -> tuple[Tensor | None, Tensor]:
    """The same result from one triangular solve for all chunks, then a scan over one affine map a chunk.

    With Γ_t = Π_{j≤t} keep_j inside a chunk that starts from the row s₀, and u_t = write_t v_t − erase_t s_{t−1}·k_t,

        s_t = Γ_t s₀ + Σ_{j≤t} (Γ_t/Γ_j) u_j k_j
        u_t + erase_t Σ_{j<t} (Γ_{t−1}/Γ_j)(k_t·k_j) u_j = write_t v_t − erase_t Γ_{t−1} s₀·k_t

    The second line is a unit triangular system per row (one for all rows when gates are per head). Solved for both
    right-hand sides it gives u = a + s₀ B, so that a chunk maps s₀ ↦ s₀ M + c. Ratios of Γ are exponentials of
    differences of logarithms and never overflow. Exact and differentiable; arguments and result as in `delta_rule`.
    """
    time, rank = keys.shape[2:]
    if time == 0:
        return (None if queries is None else torch.zeros_like(queries)), state
    keep, erase, write = _close_masked_gates(keep, erase, write, mask)
    size = min(CHUNK, time)
    # Time stands last everywhere, so that a gate weights whole contiguous rows of numbers, and chunks first, so that
    # each is one piece of memory: several times faster.
    k = _in_chunks(keys, size)  # [chunks, batch, heads, rank, size]
    # A token that fills up the last chunk keeps everything and writes nothing.
    keep, erase, write = (  # [chunks, batch, heads, gate rows, size]
        _in_chunks(gate, size, fill) for gate, fill in ((keep, 1.0), (erase, 0.0), (write, 0.0))
    )
    gate_rows = write.shape[3]
    own = rank // gate_rows  # right-hand sides that are values; the others are keys, for what s₀ contributes
    v = torch.unflatten(_in_chunks(values, size), 3, (gate_rows, own))

    log_after = keep.clamp_min(torch.finfo(keep.dtype).tiny).log().cumsum(-1)
    log_before = functional.pad(log_after[..., :-1], (1, 0))
    before = log_before.exp()
    # Γ_{t−1}/Γ_j of writer j and reader t; only j < t is used, and elsewhere the exponential could overflow.
    # In place where it can be: [chunks, batch, heads, gate rows, size, size] is by far the largest shape of the scan.
    decay = (log_before.unsqueeze(-2) - log_after.unsqueeze(-1)).clamp_max_(0.0).exp_()
    system = (decay * _earlier_products(k, k)).mul_(erase.unsqueeze(-2))
    right_sides = torch.cat(
        (write.unsqueeze(-2) * v, (-erase * before).unsqueeze(-2) * k.unsqueeze(3)), dim=-2
    )
    # The x with x (1 + system) = right_sides, transposed: as columns, which LAPACK wants, nothing need be copied.
    solved: Tensor = torch.linalg.solve_triangular(
        system.mT, right_sides.mT, upper=False, unitriangular=True
    ).mT

    # s₀ ↦ s₀ M + c, weighted by what survives at the chunk's end; the keys are those of all rows.
    after = log_after[..., -1:]
    surviving = (solved * (after - log_after).exp().unsqueeze(-2)).flatten(3, 4)
    ends = torch.unflatten(surviving @ k.mT, 3, (gate_rows, own + rank))
    shrink = after.exp().unsqueeze(-1) * torch.eye(rank, dtype=k.dtype, device=k.device)
    starts, final = _chain(ends + functional.pad(shrink, (0, 0, own, 0)), state)
    if queries is None:
        return None, final

    q = _in_chunks(queries, size)
    old = before.unsqueeze(-2) * torch.unflatten(starts.flatten(3, 4) @ q, 3, (gate_rows, own))
    u = solved[..., :own, :] + starts @ solved[..., own:, :]
    # Only gradients still need the decay. Memory that is newly taken costs more than what is computed in it.
    products = _earlier_products(k, q)
    weights = decay * products if torch.is_grad_enabled() else decay.mul_(products)
    # For a single row BLAS takes three times as long as the sum written out.
    new = weights.mul_(u.mT).sum(-2, keepdim=True) if own == 1 else u @ weights
    # [chunks, batch, heads, gate rows, own, size] → [batch, heads, time, rank]
    reads = (old + new).flatten(3, 4).permute(1, 2, 0, 4, 3).flatten(2, 3)[:, :, :time]
    return _zero_masked_reads(reads, mask), final


def _in_chunks(x: Tensor, size: int, fill: float = 0.0) -> Tensor:
    """`[batch, heads, time, d]` → `[chunks, batch, heads, d, size]`, the last chunk filled up."""
    left = -x.shape[2] % size
    padded = functional.pad(x, (0, 0, 0, left), value=fill) if left else x
    return torch.unflatten(padded, 2, (-1, size)).permute(2, 0, 1, 4, 3).contiguous()


def _earlier_products(keys: Tensor, others: Tensor) -> Tensor:
    """k_j · x_t for j < t, else 0: two `[..., rank, size]` → `[..., 1, size (j), size (t)]`."""
    return (keys.mT @ others).triu(1).unsqueeze(-3)


def _chain(ends: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Apply the affine maps of all chunks in turn: the rows before each chunk, and the last state.

    Args:
        ends: c above M, `[chunks, batch, heads, gate rows, own + rank, rank]` with gate rows · own = rank.
    """
    chunks, *outer, both, rank = ends.shape
    own = both - rank
    # Text runs inside, so that every second map is a regular step through memory, which products take as it is.
    maps = ends.flatten(1, 3).transpose(0, 1).contiguous()  # [b, chunks, own + rank, rank]
    starts = _rows_before(maps, state.reshape(-1, own, rank))
    final = torch.baddbmm(maps[:, -1, :own], starts[:, -1], maps[:, -1, own:])
    return starts.transpose(0, 1).reshape(chunks, *outer, own, rank), final.reshape(state.shape)


def _rows_before(maps: Tensor, rows: Tensor) -> Tensor:
    """The rows `[b, own, rank]` before each of the maps rows ↦ rows M + c, `[b, n, own, rank]`.

    Two neighbours are one map, too: what stands before every pair is found first, then what stands inside each. So a
    text of n chunks takes few operations in a row; the last `IN_TURN` are as quick one by one.
    """
    count, own = maps.shape[1], rows.shape[1]
    if count <= IN_TURN:
        reached = [rows]
        offsets, chunk_maps = torch.unbind(maps[:, :-1, :own], 1), torch.unbind(maps[:, :-1, own:], 1)
        for offset, chunk_map in zip(offsets, chunk_maps, strict=True):
            reached.append(torch.baddbmm(offset, reached[-1], chunk_map))
        return torch.stack(reached, 1)
    paired = count - count % 2
    first, second = maps[:, :paired:2].flatten(0, 1), maps[:, 1:paired:2].flatten(0, 1)
    pairs = first @ second[:, own:]
    pairs[:, :own] += second[:, :own]
    pairs = pairs.view(len(maps), -1, *maps.shape[2:])
    before = _rows_before(pairs if paired == count else torch.cat((pairs, maps[:, paired:]), 1), rows)
    halves = before[:, : paired // 2]
    inside = torch.baddbmm(first[:, :own], halves.flatten(0, 1), first[:, own:]).view_as(halves)
    found = torch.stack((halves, inside), 2).flatten(1, 2)
    return found if paired == count else torch.cat((found, before[:, paired // 2 :]), 1)


def _close_masked_gates(
    keep: Tensor, erase: Tensor, write: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    if mask is None:
        return keep, erase, write
    closed = ~mask[:, None, :, None]
    return keep.masked_fill(closed, 1.0), erase.masked_fill(closed, 0.0), write.masked_fill(closed, 0.0)


def _zero_masked_reads(reads: Tensor, mask: Tensor | None) -> Tensor:
    return reads if mask is None else reads.masked_fill(~mask[:, None, :, None], 0.0)
