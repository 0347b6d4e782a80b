"""The layers of Llama, Qwen3 and SmolLM3, on torch alone.

transformers knows these too, and every other architecture; importing it takes longer than reading the weights, which
a program that answers one question and ends would wait for each time. Modules are named and called as there, so that
weights fit and memories attach to either. Knows nothing about files, text or memories.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dmdoc.memory.end_to_end import EndToEnd
from dmdoc.model.blocks import Blocks, attend, cut_blocks
from dmdoc.model.decoder_config import DecoderConfig
from dmdoc.model.frozen_norm import frozen_norm


class Cache:
    """The keys and values of all tokens so far, in room that is taken once."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}
        self._slot: Tensor | None = None
        self.length = 0

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append `[batch, heads, time, head size]` and return all there are; `advance` ends the pass."""
        if layer not in self._layers:
            batch, heads, _, size = keys.shape
            shape = (batch, heads, self._room, size)
            # Zeros, because what is hidden by a mask is still multiplied, and what memory held may be no number.
            self._layers[layer] = (keys.new_zeros(shape), values.new_zeros(shape))
        kept = self._layers[layer]
        if self._slot is not None:
            for room, new in zip(kept, (keys, values), strict=True):
                room.index_copy_(2, self._slot, new)
            return kept
        end = self.length + keys.shape[2]
        for room, new in zip(kept, (keys, values), strict=True):
            room[:, :, self.length : end] = new
        return kept[0][:, :, :end], kept[1][:, :, :end]

    def advance(self, tokens: int) -> None:
        if self._slot is None:
            self.length += tokens

    @contextmanager
    def at(self, slot: Tensor) -> Iterator[None]:
        """Inside, one token goes to the place that `slot` (int64 `[1]`) holds, and all of the room is returned."""
        self._slot = slot
        try:
            yield
        finally:
            self._slot = None

    def restart(self) -> None:
        """Begin again in the same room."""
        self.length = 0


@dataclass(frozen=True)
class Pass:
    """What the layers share in one forward pass."""

    cos: Tensor
    """`[batch, 1, time, head size]`"""
    sin: Tensor
    mask: Tensor | None
    """`[batch, 1, time, keys]`: added to scores, or bool; None where each token sees those before it."""
    cache: Cache | None
    texts: EndToEnd | None = None
    """Texts in one row, none of which sees another; None where each row is one."""
    blocks: Blocks | None = None
    """The mask, where it is cut into blocks."""


class Linear(nn.Linear):
    """Without weights until they are loaded: making some up takes time, and without memory imports a compiler."""

    def reset_parameters(self) -> None:
        return


class Embedding(nn.Embedding):
    """As `Linear`."""

    def reset_parameters(self) -> None:
        return


class Norm(nn.RMSNorm):
    """As `Linear`."""

    def reset_parameters(self) -> None:
        return

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad and x.device.type == "cpu" and not self.weight.requires_grad:
            return frozen_norm(x, self.weight, self.eps or 0.0)
        return super().forward(x)


class Attention(nn.Module):
    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        size, bias = config.head_dim, config.attention_bias
        queries, keys = config.num_attention_heads * size, config.num_key_value_heads * size
        self.q_proj = Linear(config.hidden_size, queries, bias=bias)
        self.k_proj = Linear(config.hidden_size, keys, bias=bias)
        self.v_proj = Linear(config.hidden_size, keys, bias=bias)
        self.o_proj = Linear(queries, config.hidden_size, bias=bias)
        if config.normed:
            self.q_norm = Norm(size, eps=config.rms_norm_eps)
            self.k_norm = Norm(size, eps=config.rms_norm_eps)
        self._layer, self._config = layer, config
        self._shared = config.num_attention_heads // config.num_key_value_heads

    def forward(self, hidden_states: Tensor, shared: Pass) -> Tensor:
        heads = (*hidden_states.shape[:2], -1, self._config.head_dim)
        queries, keys = self.q_proj(hidden_states).view(heads), self.k_proj(hidden_states).view(heads)
        if self._config.normed:
            queries, keys = self.q_norm(queries), self.k_norm(keys)
        # [batch, heads, time, head size]
        queries, keys = queries.transpose(1, 2), keys.transpose(1, 2)
        values = self.v_proj(hidden_states).view(heads).transpose(1, 2)
        if self._config.rotated[self._layer]:
            queries, keys = (each * shared.cos + _turned(each) * shared.sin for each in (queries, keys))
        if shared.cache is not None:
            keys, values = shared.cache.extend(self._layer, keys, values)
        if shared.texts is not None:
            seen = _within(shared.texts, queries, keys, values)
        elif shared.blocks is not None:
            seen = attend(queries, keys, values, shared.blocks)
        else:
            seen = self._attend(queries, keys, values, shared.mask)
        output: Tensor = self.o_proj(seen.transpose(1, 2).flatten(2))
        return output

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None:  # with a mask, the fast kernels want as many heads of keys as of queries
            keys, values = (each.repeat_interleave(self._shared, 1) for each in (keys, values))
        return functional.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=mask,
            is_causal=mask is None and queries.shape[2] > 1,
            enable_gqa=mask is None and self._shared > 1,
        )


class FeedForward(nn.Module):
    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        inside, bias = config.intermediate_size, config.mlp_bias
        self.gate_proj = Linear(config.hidden_size, inside, bias=bias)
        self.up_proj = Linear(config.hidden_size, inside, bias=bias)
        self.down_proj = Linear(inside, config.hidden_size, bias=bias)

    def forward(self, hidden: Tensor) -> Tensor:
        output: Tensor = self.down_proj(functional.silu(self.gate_proj(hidden)) * self.up_proj(hidden))
        return output


class Layer(nn.Module):
    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        self.self_attn = Attention(config, layer)
        self.mlp = FeedForward(config)
        self.input_layernorm = Norm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = Norm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(self, hidden: Tensor, shared: Pass) -> Tensor:
        hidden = hidden + self.self_attn(self.input_layernorm(hidden), shared)
        output: Tensor = hidden + self.mlp(self.post_attention_layernorm(hidden))
        return output


class Decoder(nn.Module):
    """Token ids → hidden states `[batch, time, hidden]`."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config, layer) for layer in range(config.num_hidden_layers))
        self.norm = Norm(config.hidden_size, eps=config.rms_norm_eps)
        self._config = config

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
        use_cache: bool = False,
        texts: EndToEnd | None = None,
        block_widths: Sequence[int] | None = None,
    ) -> Tensor:
        """
        Args:
            attention_mask: 1 and 0 `[batch, keys]` for tokens and padding; or `[batch, 1, time, keys]` as for `Pass`.
            position_ids: `[batch, time]` or `[1, time]`; counted from the first token of the cache if None.
            cache: of the tokens before these, extended by them.
            use_cache: as other models have it; a cache is used where one is given.
            texts: that stand end to end in the one row, each read by itself; needs flash-attn.
            block_widths: of the blocks into which a mask `[batch, 1, time, time]` may be cut (blocks.py).
        """
        time, before = input_ids.shape[1], 0 if cache is None else cache.length
        if texts is not None:
            position_ids = texts.positions
        if position_ids is None:
            position_ids = torch.arange(before, before + time, device=input_ids.device).unsqueeze(0)
        hidden = self.embed_tokens(input_ids)
        cos, sin = self._positions(position_ids, hidden.dtype)
        mask = _visible(attention_mask, time, before, hidden)
        blocks = None if mask is None or block_widths is None else cut_blocks(mask, block_widths)
        shared = Pass(cos, sin, mask, cache, texts, blocks)
        for layer in self.layers:
            hidden = layer(hidden, shared)
        if cache is not None:
            cache.advance(time)
        output: Tensor = self.norm(hidden)
        return output

    def _positions(self, position_ids: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        size, device = self._config.head_dim, position_ids.device
        powers = torch.arange(0, size, 2, dtype=torch.float32, device=device) / size
        angles = position_ids.unsqueeze(-1).float() * (1.0 / self._config.rope_theta**powers)
        angles = torch.cat((angles, angles), -1).unsqueeze(1)
        return angles.cos().to(dtype), angles.sin().to(dtype)


def _within(texts: EndToEnd, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Each token sees those before it in its own text: `[1, heads, tokens, head size]`."""
    from flash_attn import flash_attn_varlen_func

    rows = [each[0].transpose(0, 1) for each in (queries, keys, values)]  # [tokens, heads, head size]
    bounds, longest = texts.bounds, texts.longest
    seen: Tensor = flash_attn_varlen_func(*rows, bounds, bounds, longest, longest, causal=True)
    return seen.transpose(0, 1).unsqueeze(0)


def _turned(heads: Tensor) -> Tensor:
    """Each pair of a head's halves turned by a right angle."""
    first, second = heads.chunk(2, -1)
    return torch.cat((-second, first), -1)


def _visible(mask: Tensor | None, time: int, before: int, hidden: Tensor) -> Tensor | None:
    """As for `Pass`, from what `Decoder.forward` is given."""
    if mask is None and (before == 0 or time == 1):
        return None
    if mask is not None and mask.dim() == 4:
        return mask
    keys = torch.arange(before + time, device=hidden.device)
    causal = keys <= keys[before:].unsqueeze(1)  # [time, keys]
    if mask is None:
        return causal[None, None]
    # Padding sees itself: attention scores that are masked throughout would be NaN under some kernels.
    itself = keys == keys[before:].unsqueeze(1)
    return (causal & mask.bool()[:, None, None, :]) | itself
