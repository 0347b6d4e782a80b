"""The gated delta rule as kernels for a card: the maths of delta_rule.py with the state held in registers.

A text is cut into chunks. `_maps` turns every chunk into the affine map s ↦ s M + c that it is for a row of the state;
`_chain` applies these maps in turn, and `_reads` goes through each chunk again from the state before it. Gradients take
the same three steps backwards. A chunk without a token that counts costs nothing, so that padding is free.

Rows of a state never meet: with gates a row each row has a map M of its own, with gates a head they share one. Numbers
stay in the format of the inputs. Knows nothing about projections or models; Triton compiles it, or interprets it on a
processor (TRITON_INTERPRET=1), which is how it is tested without a card.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,misc"

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 64
"""Tokens of a chunk when nothing is differentiated: a longer one makes the chain shorter and the maps slower."""

CHUNK_WITH_GRADIENTS = 16
"""Gradients go through a chunk again for each of its tokens, instead of keeping a state a token."""

OPTIONS = {"enable_fp_fusion": True}
"""A product and a sum in one rounding. Versions of Triton differ in what they do unasked."""


@triton.jit
def _gates(keep, erase, write, mask, at, token, HAS_MASK: tl.constexpr, valid):
    """The gates of one token: those of a masked one keep everything, erase and write nothing."""
    kept = tl.load(keep + at, mask=valid, other=1.0)
    erased = tl.load(erase + at, mask=valid, other=0.0)
    written = tl.load(write + at, mask=valid, other=0.0)
    if HAS_MASK:
        counts = tl.load(mask + token) != 0
        kept = tl.where(counts, kept, 1.0)
        erased = tl.where(counts, erased, 0.0)
        written = tl.where(counts, written, 0.0)
    return kept, erased, written


@triton.jit
def _steps(mask, batch, chunk, time, CHUNK: tl.constexpr, HAS_MASK: tl.constexpr):
    """How many tokens of a chunk must be gone through: none if the mask hides all of them."""
    steps = tl.minimum(time - chunk * CHUNK, CHUNK)
    if HAS_MASK:
        tokens = chunk * CHUNK + tl.arange(0, CHUNK)
        shown = tl.load(mask + batch * time + tokens, mask=tokens < time, other=0)
        steps = tl.where(tl.max(shown, 0) > 0, steps, 0)
    return steps


@triton.jit
def _maps(
    k, v, keep, erase, write, mask, maps, offsets, time, chunks,
    HEADS: tl.constexpr, RANK: tl.constexpr, SIZE: tl.constexpr, GATES: tl.constexpr, ROWS: tl.constexpr,
    CHUNK: tl.constexpr, HAS_MASK: tl.constexpr,
):  # fmt: skip
    """One chunk of one head, for the rows under one gate: M `[rank, rank]` and c `[rows, rank]`."""
    chunk, head, gate = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    columns = tl.arange(0, SIZE)
    rows = gate + tl.arange(0, ROWS)
    in_rank, in_rows = columns < RANK, rows < RANK
    dtype = maps.dtype.element_ty
    m = (columns[:, None] == columns[None, :]).to(dtype)
    c = tl.zeros([ROWS, SIZE], dtype=dtype)
    batch = head // HEADS
    for step in range(_steps(mask, batch, chunk, time, CHUNK, HAS_MASK)):
        t = chunk * CHUNK + step
        at = head * time + t
        key = tl.load(k + at * RANK + columns, mask=in_rank, other=0.0)
        value = tl.load(v + at * RANK + rows, mask=in_rows, other=0.0)
        kept, erased, written = _gates(
            keep, erase, write, mask, at * GATES + gate, batch * time + t, HAS_MASK, True
        )
        m = kept * m - (erased * tl.sum(m * key[None, :], 1))[:, None] * key[None, :]
        recalled = tl.sum(c * key[None, :], 1)
        c = kept * c + (written * value - erased * recalled)[:, None] * key[None, :]
    place = ((head * GATES + gate) * chunks + chunk) * RANK
    both = in_rank[:, None] & in_rank[None, :]
    tl.store(maps + (place + columns[:, None]) * RANK + columns[None, :], m, mask=both)
    place = (head * chunks + chunk) * RANK
    both = in_rows[:, None] & in_rank[None, :]
    tl.store(offsets + (place + rows[:, None]) * RANK + columns[None, :], c, mask=both)


@triton.jit
def _chain(
    maps, offsets, state, starts, final, chunks,
    RANK: tl.constexpr, SIZE: tl.constexpr, GATES: tl.constexpr, KEEP_STARTS: tl.constexpr,
):  # fmt: skip
    """One row of the state through the maps of all chunks; what it was before each is kept if asked."""
    head, row = tl.program_id(0), tl.program_id(1)
    columns = tl.arange(0, SIZE)
    in_rank = columns < RANK
    both = in_rank[:, None] & in_rank[None, :]
    gate = row if GATES > 1 else 0
    s = tl.load(state + (head * RANK + row) * RANK + columns, mask=in_rank, other=0.0)
    for chunk in range(chunks):
        at = ((head * chunks + chunk) * RANK + row) * RANK + columns
        if KEEP_STARTS:
            tl.store(starts + at, s, mask=in_rank)
        place = ((head * GATES + gate) * chunks + chunk) * RANK
        m = tl.load(maps + (place + columns[:, None]) * RANK + columns[None, :], mask=both, other=0.0)
        s = tl.sum(s[:, None] * m, 0) + tl.load(offsets + at, mask=in_rank, other=0.0)
    tl.store(final + (head * RANK + row) * RANK + columns, s, mask=in_rank)


@triton.jit
def _reads(
    q, k, v, keep, erase, write, mask, starts, reads, time, chunks,
    HEADS: tl.constexpr, RANK: tl.constexpr, SIZE: tl.constexpr, GATES: tl.constexpr,
    CHUNK: tl.constexpr, HAS_MASK: tl.constexpr,
):  # fmt: skip
    """What every token of one chunk of one head reads."""
    chunk, head = tl.program_id(0), tl.program_id(1)
    numbers = tl.arange(0, SIZE)
    in_rank = numbers < RANK
    both = in_rank[:, None] & in_rank[None, :]
    gates = numbers if GATES > 1 else numbers * 0
    place = (head * chunks + chunk) * RANK
    s = tl.load(starts + (place + numbers[:, None]) * RANK + numbers[None, :], mask=both, other=0.0)
    batch = head // HEADS
    steps = _steps(mask, batch, chunk, time, CHUNK, HAS_MASK)
    if steps == 0:
        tokens = chunk * CHUNK + tl.arange(0, CHUNK)
        hidden = (head * time + tokens)[:, None] * RANK + numbers[None, :]
        nothing = tl.zeros([CHUNK, SIZE], dtype=reads.dtype.element_ty)
        tl.store(reads + hidden, nothing, mask=(tokens < time)[:, None] & in_rank[None, :])
    for step in range(steps):
        t = chunk * CHUNK + step
        at = head * time + t
        query = tl.load(q + at * RANK + numbers, mask=in_rank, other=0.0)
        read = tl.sum(s * query[None, :], 1)
        if HAS_MASK:
            read = tl.where(tl.load(mask + batch * time + t) != 0, read, 0.0)
        tl.store(reads + at * RANK + numbers, read, mask=in_rank)
        key = tl.load(k + at * RANK + numbers, mask=in_rank, other=0.0)
        value = tl.load(v + at * RANK + numbers, mask=in_rank, other=0.0)
        kept, erased, written = _gates(
            keep, erase, write, mask, at * GATES + gates, batch * time + t, HAS_MASK, in_rank
        )
        recalled = tl.sum(s * key[None, :], 1)
        s = kept[:, None] * s + (written * value - erased * recalled)[:, None] * key[None, :]


@triton.jit
def _back(
    q, k, keep, erase, write, mask, d_reads, d_starts, time, chunks,
    HEADS: tl.constexpr, RANK: tl.constexpr, SIZE: tl.constexpr, GATES: tl.constexpr,
    CHUNK: tl.constexpr, HAS_MASK: tl.constexpr,
):  # fmt: skip
    """What the reads of one chunk of one head want of the state before it."""
    chunk, head = tl.program_id(0), tl.program_id(1)
    numbers = tl.arange(0, SIZE)
    in_rank = numbers < RANK
    both = in_rank[:, None] & in_rank[None, :]
    gates = numbers if GATES > 1 else numbers * 0
    d = tl.zeros([SIZE, SIZE], dtype=d_starts.dtype.element_ty)
    batch = head // HEADS
    steps = _steps(mask, batch, chunk, time, CHUNK, HAS_MASK)
    for back in range(steps):
        t = chunk * CHUNK + steps - 1 - back
        at = head * time + t
        key = tl.load(k + at * RANK + numbers, mask=in_rank, other=0.0)
        query = tl.load(q + at * RANK + numbers, mask=in_rank, other=0.0)
        d_read = tl.load(d_reads + at * RANK + numbers, mask=in_rank, other=0.0)
        if HAS_MASK:
            d_read = tl.where(tl.load(mask + batch * time + t) != 0, d_read, 0.0)
        kept, erased, _ = _gates(
            keep, erase, write, mask, at * GATES + gates, batch * time + t, HAS_MASK, in_rank
        )
        d = kept[:, None] * d - (erased * tl.sum(d * key[None, :], 1))[:, None] * key[None, :]
        d += d_read[:, None] * query[None, :]
    place = (head * chunks + chunk) * RANK
    tl.store(d_starts + (place + numbers[:, None]) * RANK + numbers[None, :], d, mask=both)


@triton.jit
def _chain_back(
    maps, d_starts, d_final, d_ends, d_state, chunks,
    RANK: tl.constexpr, SIZE: tl.constexpr, GATES: tl.constexpr, HAS_READS: tl.constexpr,
):  # fmt: skip
    """The gradient of one row of the state, from after the last chunk to before the first."""
    head, row = tl.program_id(0), tl.program_id(1)
    columns = tl.arange(0, SIZE)
    in_rank = columns < RANK
    both = in_rank[:, None] & in_rank[None, :]
    gate = row if GATES > 1 else 0
    d = tl.load(d_final + (head * RANK + row) * RANK + columns, mask=in_rank, other=0.0)
    for back in range(chunks):
        chunk = chunks - 1 - back
        at = ((head * chunks + chunk) * RANK + row) * RANK + columns
        tl.store(d_ends + at, d, mask=in_rank)
        place = ((head * GATES + gate) * chunks + chunk) * RANK
        m = tl.load(maps + (place + columns[:, None]) * RANK + columns[None, :], mask=both, other=0.0)
        d = tl.sum(m * d[None, :], 1)
        if HAS_READS:
            d += tl.load(d_starts + at, mask=in_rank, other=0.0)
    tl.store(d_state + (head * RANK + row) * RANK + columns, d, mask=in_rank)


@triton.jit
def _gradients(
    q, k, v, keep, erase, write, mask, starts, d_ends, d_reads,
    d_q, d_k, d_v, d_keep, d_erase, d_write, time, chunks,
    HEADS: tl.constexpr, RANK: tl.constexpr, SIZE: tl.constexpr, GATES: tl.constexpr,
    CHUNK: tl.constexpr, HAS_MASK: tl.constexpr, HAS_READS: tl.constexpr,
):  # fmt: skip
    """The gradients of every token's inputs in one chunk of one head."""
    chunk, head = tl.program_id(0), tl.program_id(1)
    numbers = tl.arange(0, SIZE)
    in_rank = numbers < RANK
    both = in_rank[:, None] & in_rank[None, :]
    gates = numbers if GATES > 1 else numbers * 0
    place = ((head * chunks + chunk) * RANK + numbers[:, None]) * RANK + numbers[None, :]
    start = tl.load(starts + place, mask=both, other=0.0)
    d = tl.load(d_ends + place, mask=both, other=0.0)
    batch = head // HEADS
    steps = _steps(mask, batch, chunk, time, CHUNK, HAS_MASK)
    for back in range(steps):
        t = chunk * CHUNK + steps - 1 - back
        s = start
        for earlier in range(steps - 1 - back):  # the state before token t, from the start of the chunk
            before = chunk * CHUNK + earlier
            at = head * time + before
            key = tl.load(k + at * RANK + numbers, mask=in_rank, other=0.0)
            value = tl.load(v + at * RANK + numbers, mask=in_rank, other=0.0)
            kept, erased, written = _gates(
                keep, erase, write, mask, at * GATES + gates, batch * time + before, HAS_MASK, in_rank
            )
            recalled = tl.sum(s * key[None, :], 1)
            s = kept[:, None] * s + (written * value - erased * recalled)[:, None] * key[None, :]
        at = head * time + t
        key = tl.load(k + at * RANK + numbers, mask=in_rank, other=0.0)
        value = tl.load(v + at * RANK + numbers, mask=in_rank, other=0.0)
        kept, erased, written = _gates(
            keep, erase, write, mask, at * GATES + gates, batch * time + t, HAS_MASK, in_rank
        )
        recalled = tl.sum(s * key[None, :], 1)
        wanted = tl.sum(d * key[None, :], 1)  # d k
        of_keep, of_erase, of_write = tl.sum(d * s, 1), -recalled * wanted, value * wanted
        if HAS_MASK:
            counts = tl.load(mask + batch * time + t) != 0
            of_keep = tl.where(counts, of_keep, 0.0)
            of_erase = tl.where(counts, of_erase, 0.0)
            of_write = tl.where(counts, of_write, 0.0)
        if GATES > 1:
            tl.store(d_keep + at * RANK + numbers, of_keep, mask=in_rank)
            tl.store(d_erase + at * RANK + numbers, of_erase, mask=in_rank)
            tl.store(d_write + at * RANK + numbers, of_write, mask=in_rank)
        else:
            tl.store(d_keep + at, tl.sum(of_keep, 0))
            tl.store(d_erase + at, tl.sum(of_erase, 0))
            tl.store(d_write + at, tl.sum(of_write, 0))
        tl.store(d_v + at * RANK + numbers, written * wanted, mask=in_rank)
        of_key = (written * value - erased * recalled)[:, None] * d - (erased * wanted)[:, None] * s
        tl.store(d_k + at * RANK + numbers, tl.sum(of_key, 0), mask=in_rank)
        d = kept[:, None] * d - (erased * wanted)[:, None] * key[None, :]
        if HAS_READS:
            query = tl.load(q + at * RANK + numbers, mask=in_rank, other=0.0)
            d_read = tl.load(d_reads + at * RANK + numbers, mask=in_rank, other=0.0)
            if HAS_MASK:
                d_read = tl.where(tl.load(mask + batch * time + t) != 0, d_read, 0.0)
            tl.store(d_q + at * RANK + numbers, tl.sum(d_read[:, None] * s, 0), mask=in_rank)
            d += d_read[:, None] * query[None, :]


def delta_rule_fused(
    queries: Tensor | None,
    keys: Tensor,
    values: Tensor,
    keep: Tensor,
    erase: Tensor,
    write: Tensor,
    state: Tensor,
    mask: Tensor | None = None,
) -> tuple[Tensor | None, Tensor]:
    """Arguments and result as in `delta_rule`, for a rank of at most `MAX_KERNEL_RANK`; differentiable once."""
    if keys.shape[2] == 0:
        return (None if queries is None else torch.zeros_like(queries)), state
    inputs = (keys, values, keep, erase, write, state)
    differentiated = torch.is_grad_enabled() and any(
        x is not None and x.requires_grad for x in (queries, *inputs)
    )
    if differentiated:
        reads, final = _Scan.apply(queries, *inputs, mask)
        return reads, final
    reads, final, _ = _scan(queries, *inputs, mask, CHUNK, keep_starts=queries is not None)
    return reads, final


class _Kept(NamedTuple):
    """What a scan leaves for its gradients."""

    maps: Tensor
    starts: Tensor


def _sizes(keys: Tensor, gates: Tensor, mask: Tensor | None) -> dict[str, Any]:
    """What every kernel over tokens is compiled for."""
    rank = keys.shape[3]
    return {
        "HEADS": keys.shape[1],
        "RANK": rank,
        "SIZE": max(2, triton.next_power_of_2(rank)),
        "GATES": gates.shape[3],
        "HAS_MASK": mask is not None,
        "num_warps": 1 if rank <= 16 else 4,
        **OPTIONS,
    }


def _of_chain(sizes: dict[str, Any]) -> dict[str, Any]:
    """What the kernels over chunks are compiled for."""
    return {name: size for name, size in sizes.items() if name not in ("HEADS", "HAS_MASK", "CHUNK")}


def _scan(
    queries: Tensor | None,
    keys: Tensor,
    values: Tensor,
    keep: Tensor,
    erase: Tensor,
    write: Tensor,
    state: Tensor,
    mask: Tensor | None,
    chunk: int,
    *,
    keep_starts: bool,
) -> tuple[Tensor | None, Tensor, _Kept]:
    """Reads, the last state, and what gradients need; all inputs become contiguous."""
    keys, values, keep, erase, write, state = (
        x.contiguous() for x in (keys, values, keep, erase, write, state)
    )
    batch, heads, time, rank = keys.shape
    chunks, gates = triton.cdiv(time, chunk), keep.shape[3]
    sizes = _sizes(keys, keep, mask)
    shown = (
        keys if mask is None else mask.contiguous().view(torch.uint8)
    )  # without a mask it is never looked at
    maps = keys.new_empty(batch * heads, gates, chunks, rank, rank)
    offsets = keys.new_empty(batch * heads, chunks, rank, rank)
    starts = torch.empty_like(offsets) if keep_starts else offsets
    final = torch.empty_like(state)
    rows = 1 if gates > 1 else sizes["SIZE"]
    _maps[(chunks, batch * heads, gates)](
        keys, values, keep, erase, write, shown, maps, offsets, time, chunks, ROWS=rows, CHUNK=chunk, **sizes
    )
    chain = _of_chain(sizes)
    _chain[(batch * heads, rank)](
        maps, offsets, state, starts, final, chunks, KEEP_STARTS=keep_starts, **chain
    )
    reads = None
    if queries is not None:
        reads = keys.new_empty(keys.shape)
        _reads[(chunks, batch * heads)](
            queries.contiguous(), keys, values, keep, erase, write, shown, starts, reads, time, chunks,
            CHUNK=chunk, **sizes,
        )  # fmt: skip
    return reads, final, _Kept(maps, starts)


class _Scan(torch.autograd.Function):
    """The scan with its gradients."""

    @staticmethod
    def forward(ctx, queries, keys, values, keep, erase, write, state, mask):
        reads, final, kept = _scan(
            queries, keys, values, keep, erase, write, state, mask, CHUNK_WITH_GRADIENTS, keep_starts=True
        )
        ctx.save_for_backward(queries, keys, values, keep, erase, write, mask, *kept)
        return reads, final

    @staticmethod
    @once_differentiable
    def backward(ctx, d_reads, d_final):
        queries, keys, values, keep, erase, write, mask, maps, starts = ctx.saved_tensors
        keys, values, keep, erase, write = (x.contiguous() for x in (keys, values, keep, erase, write))
        batch, heads, time, _ = keys.shape
        chunks = starts.shape[1]
        sizes = _sizes(keys, keep, mask) | {"CHUNK": CHUNK_WITH_GRADIENTS}
        # A tensor stands where there is none; it is never looked at.
        shown = keys if mask is None else mask.contiguous().view(torch.uint8)
        reading = queries is not None
        q = queries.contiguous() if reading else keys
        d_reads = d_reads.contiguous() if reading else keys
        d_starts = torch.empty_like(starts) if reading else starts
        d_ends, d_state = torch.empty_like(starts), d_final.new_empty(d_final.shape)
        # Chunks without a token that counts are passed over, and so are their gradients.
        of_keys, of_values, of_keep, of_erase, of_write = (
            torch.zeros_like(x) for x in (keys, values, keep, erase, write)
        )
        of_queries = torch.zeros_like(keys) if reading else None
        if reading:
            _back[(chunks, batch * heads)](
                q, keys, keep, erase, write, shown, d_reads, d_starts, time, chunks, **sizes
            )
        chain = _of_chain(sizes)
        _chain_back[(batch * heads, keys.shape[3])](
            maps, d_starts, d_final.contiguous(), d_ends, d_state, chunks, HAS_READS=reading, **chain
        )
        _gradients[(chunks, batch * heads)](
            q, keys, values, keep, erase, write, shown, starts, d_ends, d_reads,
            of_queries if reading else of_keys, of_keys, of_values, of_keep, of_erase, of_write, time, chunks,
            HAS_READS=reading, **sizes,
        )  # fmt: skip
        return of_queries, of_keys, of_values, of_keep, of_erase, of_write, d_state, None
