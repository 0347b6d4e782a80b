"""Puts an adapter beside a model for the length of one forward pass, by hooks that are always removed.

A pre-hook on `self_attn` sees the layer's input, reads the memory and (if asked) writes it; hooks on the projections
add the corrections: before q_norm and RoPE for q, after o_proj for the output. Works for every decoder with separate
projections, whatever attention kernel it runs. Knows nothing about tokens, prompts or files. What is written is said
by an explicit mask, never inferred from the model's own attention mask.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dmdoc.errors import BackboneError, StateShapeError
from dmdoc.memory.adapter import HEADS, AttentionSizes, DeltaMemAdapter, DeltaMemLayer, Head
from dmdoc.memory.delta_rule import delta_rule
from dmdoc.memory.end_to_end import EndToEnd
from dmdoc.memory.state import MemoryState

_REASON = "δ-mem needs decoder layers with self_attn.q_proj, k_proj, v_proj and o_proj"


class EnoughSeen(Exception):
    """Raised inside a pass when nothing after it is needed: the last memory is written, the last input is seen."""


def attention_layers(model: nn.Module) -> list[nn.Module]:
    """The attention layer of every decoder layer of a transformers model, in order.

    Raises:
        BackboneError: the model has no decoder with separate q, k, v and o projections.
    """
    get_decoder = getattr(model, "get_decoder", None)
    decoder = get_decoder() if get_decoder is not None else model
    layers = getattr(decoder, "layers", None)
    if not isinstance(layers, nn.ModuleList) or len(layers) == 0:
        raise BackboneError(
            f"{type(model).__name__} is not supported: {_REASON}, and it has no list of decoder layers"
        )
    found: list[nn.Module] = []
    for index, layer in enumerate(layers):
        attention = getattr(layer, "self_attn", None)
        names = [f"{head}_proj" for head in HEADS]
        missing = [name for name in names if not isinstance(getattr(attention, name, None), nn.Module)]
        if missing or not isinstance(attention, nn.Module):
            raise BackboneError(
                f"{type(model).__name__} is not supported: {_REASON}; layer {index} has no {', '.join(missing)}"
            )
        found.append(attention)
    return found


def attention_sizes(model: nn.Module) -> list[AttentionSizes]:
    """The widths of every attention layer of a model, for `DeltaMemAdapter` and `load_adapter`.

    Raises:
        BackboneError: as `attention_layers`.
    """
    return [
        AttentionSizes(
            hidden=_weight(layer, "q").shape[1],
            q=_weight(layer, "q").shape[0],
            k=_weight(layer, "k").shape[0],
            v=_weight(layer, "v").shape[0],
            o=_weight(layer, "o").shape[0],
        )
        for layer in attention_layers(model)
    ]


def _weight(attention: nn.Module, head: str) -> Tensor:
    weight = attention.get_submodule(f"{head}_proj").weight
    assert isinstance(weight, Tensor)
    return weight


@contextmanager
def attention_inputs(
    model: nn.Module, layers: Sequence[int], *, stop_after: bool = False
) -> Iterator[list[Tensor]]:
    """What enters these attention layers, each `[batch, time, hidden]`, once a forward pass inside is done.

    Args:
        stop_after: leave the forward pass by EnoughSeen at the last of `layers`, which are to be in order.

    Raises:
        BackboneError: as `attention_layers`.
    """
    inputs = [torch.empty(0)] * len(layers)

    def keep(position: int, module: nn.Module, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        inputs[position] = _hidden(args, kwargs)
        if stop_after and position == len(layers) - 1:
            raise EnoughSeen

    attention = attention_layers(model)
    with ExitStack() as hooks:
        for position, index in enumerate(layers):
            hook = attention[index].register_forward_pre_hook(partial(keep, position), with_kwargs=True)
            hooks.callback(hook.remove)
        yield inputs


class MemoryPass:
    """One forward pass with a memory: the state that goes in, what is to be written, the state that comes out."""

    def __init__(
        self,
        adapter: DeltaMemAdapter,
        state_in: MemoryState,
        *,
        write_mask: Tensor | None = None,
        segment_ids: Tensor | None = None,
        texts: EndToEnd | None = None,
        stop_after_writing: bool = False,
    ) -> None:
        """
        Args:
            state_in: read, and never changed.
            write_mask: bool `[batch, time]`, the tokens that write; None makes the pass read-only.
            segment_ids: int64 `[batch, time]`, needed by mean writes: the message or sentence that a token belongs
                to, counted from 0; −1 for none.
            texts: how the model has the texts of the batch in one row; None where each is a row of its own.
            stop_after_writing: leave the forward pass as soon as the last memory is written.

        Raises:
            StateShapeError: the state was not made for this adapter.
        """
        layers, _, heads, rank = state_in.shape
        if (layers, heads, rank) != adapter.state_shape:
            raise StateShapeError(
                f"the state has (layers, heads, rank) {(layers, heads, rank)}, the adapter needs {adapter.state_shape}"
            )
        self._adapter = adapter
        self._state_in = state_in
        self._write_mask = write_mask
        self._segment_ids = segment_ids
        self._texts = texts
        # Asked once, before the pass: a card would have to be waited for in every layer.
        self._segments = 0 if segment_ids is None else int(segment_ids.max()) + 1
        self._stop_after_writing = stop_after_writing
        self._corrects = write_mask is None or adapter.config.corrects_while_writing
        # A pass that corrects nothing may run the model without gradients and still differentiate its writes.
        self._gradients = torch.is_grad_enabled()
        self._written: dict[int, Tensor] = {}
        self._readout = torch.empty(0)  # of the layer at hand
        if write_mask is not None and self._writes_means and segment_ids is None:
            raise StateShapeError("this adapter writes means, so a writing pass needs segment_ids")

    @property
    def _writes_means(self) -> bool:
        return self._adapter.config.memory_write_granularity != "token"

    @property
    def state_out(self) -> MemoryState:
        """The state after the pass; the state that went in if nothing was written."""
        if self._write_mask is None:
            return self._state_in
        return MemoryState(
            tuple(self._written[position] for position in range(len(self._adapter.layer_indices)))
        )

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[None]:
        """Hook the memory to `model`; inside, call the model at will. Hooks are gone afterwards, also after errors.

        Raises:
            BackboneError: as `attention_layers`.
            StateShapeError: the adapter was made for a model with more layers.
        """
        attention = attention_layers(model)
        if max(self._adapter.layer_indices) >= len(attention):
            raise StateShapeError(
                f"the adapter has a memory beside layer {max(self._adapter.layer_indices)}, "
                f"{type(model).__name__} has {len(attention)} layers"
            )
        with ExitStack() as hooks:
            for position, index in enumerate(self._adapter.layer_indices):
                self._hook_layer(hooks, position, attention[index])
            yield

    def _hook_layer(self, hooks: ExitStack, position: int, attention: nn.Module) -> None:
        before = attention.register_forward_pre_hook(partial(self._on_input, position), with_kwargs=True)
        hooks.callback(before.remove)
        if not self._corrects:
            return
        for head in self._adapter.config.delta_heads:
            projection = attention.get_submodule(f"{head}_proj")
            after = projection.register_forward_hook(partial(self._on_projection, position, head))
            hooks.callback(after.remove)

    def _on_input(
        self, position: int, module: nn.Module, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> None:
        hidden = _hidden(args, kwargs)
        with torch.set_grad_enabled(self._gradients):
            self._read_and_write(position, hidden)
        if self._stop_after_writing and position == len(self._adapter.layer_indices) - 1:
            raise EnoughSeen

    def _read_and_write(self, position: int, hidden: Tensor) -> None:
        layer, state = self._adapter.layer(position), self._state_in.layers[position]
        if self._texts is not None:
            hidden = self._texts.apart(hidden)
        if hidden.shape[0] != state.shape[0] or hidden.device != state.device:
            raise StateShapeError(
                f"a state of batch {state.shape[0]} on {state.device} cannot serve "
                f"an input of batch {hidden.shape[0]} on {hidden.device}"
            )
        if self._write_mask is not None and self._write_mask.shape != hidden.shape[:2]:
            raise StateShapeError(
                f"the write mask is {list(self._write_mask.shape)}, the input {list(hidden.shape[:2])}"
            )
        reads: Tensor | None
        if self._write_mask is None:
            reads = _read(layer, hidden, state)
        elif self._writes_means:
            reads = _read(layer, hidden, state) if self._corrects else None
            self._written[position] = self._write_means(layer, hidden, state)
        else:
            queries = None
            if self._corrects:
                queries, inputs = layer.read_and_write_inputs(hidden)
            else:
                inputs = layer.write_inputs(hidden)
            reads, self._written[position] = delta_rule(queries, *inputs, state, self._write_mask)
        if reads is not None:
            reads = reads if self._texts is None else self._texts.joined(reads)
            self._readout = layer.readout(reads, hidden.dtype)

    def _on_projection(
        self, position: int, head: Head, module: nn.Module, args: Sequence[Any], output: Tensor
    ) -> Tensor:
        return self._adapter.layer(position).corrected(head, output, self._readout)

    def _write_means(self, layer: DeltaMemLayer, hidden: Tensor, state: Tensor) -> Tensor:
        """Average the hidden states of every segment, then write one mean a segment, in order."""
        assert self._write_mask is not None and self._segment_ids is not None
        ids = self._segment_ids.masked_fill(~self._write_mask, -1)
        segments = torch.arange(self._segments, device=ids.device)
        member = (ids[:, None, :] == segments[None, :, None]).to(hidden.dtype)  # [batch, segments, time]
        count = member.sum(-1, keepdim=True)
        means = (member @ hidden) / count.clamp_min(1)
        _, written = delta_rule(None, *layer.write_inputs(means), state, count.squeeze(-1) > 0)
        return written


def _hidden(args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
    """What an attention layer was called with."""
    hidden: Tensor = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
    return hidden


def _read(layer: DeltaMemLayer, hidden: Tensor, state: Tensor) -> Tensor:
    """r = S q for every token: `[batch, heads, time, rank]`."""
    return layer.queries(hidden) @ state.transpose(-1, -2)
