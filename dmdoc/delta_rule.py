"""The gated delta rule, twice: the formula token by token, and the same maths without a token loop.

Source: arXiv 2605.12357. For one token with key k, value v and query q (`rank` numbers each):

    r = S q                                             read first
    S ← keep⊙S − erase⊙(S k) kᵀ + write⊙v kᵀ            then write (⊙ scales rows)

This module knows torch alone: nothing about projections, gates' origin, layers or models.
"""

import torch
from torch import Tensor
from torch.nn import functional

CHUNK = 16
"""Tokens solved as one triangular system; the work grows with it, the number of chained steps shrinks."""


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
    few = keys.shape[2] <= 2
    return (delta_rule_recurrent if few else delta_rule_chunked)(
        queries, keys, values, keep, erase, write, state, mask
    )


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
    """The same result from one triangular solve for all chunks, then a chain of one affine map a chunk.

    With Γ_t = Π_{j≤t} keep_j inside a chunk that starts from the row s₀, and u_t = write_t v_t − erase_t s_{t−1}·k_t,

        s_t = Γ_t s₀ + Σ_{j≤t} (Γ_t/Γ_j) u_j k_j
        u_t + erase_t Σ_{j<t} (Γ_{t−1}/Γ_j)(k_t·k_j) u_j = write_t v_t − erase_t Γ_{t−1} s₀·k_t

    The second line is a unit lower-triangular system per row (one for all rows when gates are per head). Solved for
    both right-hand sides it gives u = a − B s₀, so that a chunk maps s₀ ↦ s₀ M + b. Ratios of Γ are exponentials of
    differences of logarithms and never overflow. Exact and differentiable; arguments and result as in `delta_rule`.
    """
    time, rank = keys.shape[2:]
    if time == 0:
        return (None if queries is None else torch.zeros_like(queries)), state
    keep, erase, write = _close_masked_gates(keep, erase, write, mask)
    size = min(CHUNK, time)
    k, v = _in_chunks(keys, size), _in_chunks(values, size)
    # A token that fills up the last chunk keeps everything and writes nothing.
    keep, erase, write = (
        _by_row(_in_chunks(gate, size, fill)) for gate, fill in ((keep, 1), (erase, 0), (write, 0))
    )

    log_after = keep.clamp_min(torch.finfo(keep.dtype).tiny).log().cumsum(-1)
    log_before = functional.pad(log_after[..., :-1], (1, 0))
    decay = _decay(log_before, log_after)
    if write.shape[2] > 1:
        v = v.transpose(2, 5)  # one system a row with one right-hand side, not one system with all rows
    a, b = _solve(
        erase.unsqueeze(-1) * decay * (k @ k.transpose(-1, -2)),
        write.unsqueeze(-1) * v,
        (erase * log_before.exp()).unsqueeze(-1) * k,
    )

    # s₀ ↦ s₀ M + c, with keys weighted by what survives of them at the chunk's end.
    surviving_keys = (log_after[..., -1:] - log_after).exp().unsqueeze(-1) * k
    shrink = torch.eye(rank, dtype=k.dtype, device=k.device) * log_after[..., -1].exp()[..., None, None]
    maps = shrink - b.transpose(-1, -2) @ surviving_keys  # [batch, heads, gate rows, chunks, rank, rank]
    offsets = a.transpose(-1, -2) @ surviving_keys  # [batch, heads, gate rows, chunks, rows of a, rank]
    starts, final = _chain(maps, offsets, state)
    if queries is None:
        return None, final

    q = _in_chunks(queries, size)
    u = a - b @ starts.transpose(-1, -2)
    old = log_before.exp().unsqueeze(-1) * (q @ starts.transpose(-1, -2))
    new = (decay * (q @ k.transpose(-1, -2))) @ u  # [batch, heads, gate rows, chunks, size, rows of a]
    reads = (old + new).permute(0, 1, 3, 4, 2, 5).reshape(*keys.shape[:2], -1, rank)[:, :, :time]
    return _zero_masked_reads(reads, mask), final


def _in_chunks(x: Tensor, size: int, fill: float = 0.0) -> Tensor:
    """`[batch, heads, time, d]` → `[batch, heads, 1, chunks, size, d]`, the last chunk filled up."""
    batch, heads, time, d = x.shape
    return functional.pad(x, (0, 0, 0, -time % size), value=fill).reshape(batch, heads, 1, -1, size, d)


def _by_row(gates: Tensor) -> Tensor:
    """`[batch, heads, 1, chunks, size, gate rows]` → `[batch, heads, gate rows, chunks, size]`."""
    return gates.transpose(2, 5).squeeze(-1)


def _decay(log_before: Tensor, log_after: Tensor) -> Tensor:
    """Γ_{t−1}/Γ_j for j < t, else 0: `[batch, heads, gate rows, chunks, size (t), size (j)]`."""
    size = log_after.shape[-1]
    later = torch.ones(size, size, dtype=torch.bool, device=log_after.device).triu()
    # Before the exponential, which would overflow there; in place, as this is the largest tensor of the scan.
    return (log_before.unsqueeze(-1) - log_after.unsqueeze(-2)).masked_fill_(later, -torch.inf).exp()


def _solve(system: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The x with (1 + system) x = y for both right sides y; system is strictly lower triangular."""
    solved = torch.linalg.solve_triangular(
        system, torch.cat((first, second), dim=-1), upper=False, unitriangular=True
    )
    return solved[..., : first.shape[-1]], solved[..., first.shape[-1] :]


def _chain(maps: Tensor, offsets: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Apply the affine maps of all chunks in turn: the rows before each chunk (shaped as offsets), the last state."""
    # Both kinds of gate in one form: [batch · heads · gate rows, rows of a, rank], gate rows · rows of a = rank.
    rows = state.reshape(-1, *offsets.shape[-2:])
    starts = []
    by_chunk = zip(offsets.flatten(0, 2).unbind(1), maps.flatten(0, 2).unbind(1), strict=True)
    for offset, chunk_map in by_chunk:
        starts.append(rows)
        rows = torch.baddbmm(offset, rows, chunk_map)
    return torch.stack(starts, dim=1).reshape(offsets.shape), rows.reshape(state.shape)


def _close_masked_gates(
    keep: Tensor, erase: Tensor, write: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    if mask is None:
        return keep, erase, write
    closed = ~mask[:, None, :, None]
    return keep.masked_fill(closed, 1.0), erase.masked_fill(closed, 0.0), write.masked_fill(closed, 0.0)


def _zero_masked_reads(reads: Tensor, mask: Tensor | None) -> Tensor:
    return reads if mask is None else reads.masked_fill(~mask[:, None, :, None], 0.0)
