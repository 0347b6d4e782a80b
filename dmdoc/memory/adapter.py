"""A δ-mem adapter: its configuration and its trained weights, one layer beside each attention layer.

Knows the maths of one layer (projections, gates, corrections) and nothing about the backbone's code: attach.py puts
it beside a model, adapter_file.py brings it from and to disk. Nothing here can fold an adapter into other weights.

Source: arXiv 2605.12357 and the public configuration of declare-lab/delta-Mem.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from dmdoc.errors import AdapterError
from dmdoc.memory.delta_rule import runs_kernels
from dmdoc.memory.key_trace import trace_keys

Head = Literal["q", "k", "v", "o"]
HEADS: tuple[Head, ...] = ("q", "k", "v", "o")
WriteGranularity = Literal["token", "message_mean", "sentence_mean"]
UpdateMode = Literal["standard", "lambda_outside", "no_lambda"]
WriteLayout = Literal["plain", "chat"]
ScaleGranularity = Literal["layer", "head"]


@dataclass(frozen=True)
class DeltaMemConfig:
    """What shapes an adapter and how it was trained to be fed.

    Raises:
        AdapterError: a field has a value that no adapter can have.
    """

    rank: int = 8
    """Numbers in one key; a state head is a rank × rank matrix."""
    alpha: float = 16.0
    """Corrections are scaled by alpha / rank."""
    num_state_heads: int = 1
    """Independent states a layer (several: the paper's MSW)."""
    couple_lambda: bool = True
    """λ = 1 − β; otherwise λ has a projection and a bias of its own."""
    rankwise_gates: bool = True
    """One β a state row, otherwise one a state head."""
    normalize_qk: bool = True
    """q and k pass through tanh and are scaled to length 1, per state head."""
    state_update_mode: UpdateMode = "standard"
    """(keep, erase, write) = (λ, β, β), or lambda_outside: (λ, λβ, β), or no_lambda: (1, β, β)."""
    memory_write_granularity: WriteGranularity = "token"
    """What writes: every token (TSW), the mean of each message (SSW), or the mean of each sentence."""
    delta_heads: tuple[Head, ...] = ("q", "o")
    """The projections of an attention layer that are corrected."""
    target_layers: tuple[int, ...] = ()
    """The layers that have a memory; empty means all."""
    beta_bias_init: float = -1.5
    """b_β before training (b_λ starts at its negative)."""
    delta_o_rmsnorm: bool = False
    """The output correction is RMS-normalised with a trained weight."""
    delta_o_rmsnorm_eps: float = 1e-6
    trainable_delta_scale: bool = False
    """Corrections are further scaled by delta_scale_max · sigmoid(a trained number)."""
    delta_scale_init: float = 1.0
    delta_scale_max: float = 2.0
    delta_scale_granularity: ScaleGranularity = "layer"
    """One trained scale a layer, or one for each of q, k, v, o."""

    shifts_keys: bool = False
    """A value is written under the key of the token before it, the place where a reader stands when it is due (token
    shift). The first token of a write has none and writes nothing."""
    traces_keys: bool = False
    """With shifted keys: of all tokens before, not of the last alone, as gates of each token keep and add them
    (key_trace.py)."""
    corrects_while_writing: bool = True
    """Corrections are on while a document is written, as in the public code; without them the frozen model reads."""
    write_layout: WriteLayout = "chat"
    """How document text is laid out for writing: as one user message, or as its own tokens alone."""
    write_budget: int = 8192
    """The most tokens that one writing pass may hold."""
    evidenced_tokens: int = 8192
    """The most written tokens for which somebody has measured recall."""
    reads_states_of: tuple[str, ...] = ()
    """SHA-256 of other adapters that write as this one does, so that it can be asked about their states."""

    def __post_init__(self) -> None:
        for field in ("rank", "num_state_heads", "write_budget", "evidenced_tokens"):
            _require(field, getattr(self, field) >= 1, "must be at least 1", getattr(self, field))
        for field in ("alpha", "delta_o_rmsnorm_eps", "delta_scale_max"):
            value = getattr(self, field)
            _require(field, 0 < value < math.inf, "must be a number above 0", value)
        _require(
            "beta_bias_init", math.isfinite(self.beta_bias_init), "must be a number", self.beta_bias_init
        )
        within = 0 < self.delta_scale_init < self.delta_scale_max
        _require("delta_scale_init", within, "must lie between 0 and delta_scale_max", self.delta_scale_init)
        for field, kind in (
            ("state_update_mode", UpdateMode),
            ("memory_write_granularity", WriteGranularity),
            ("write_layout", WriteLayout),
            ("delta_scale_granularity", ScaleGranularity),
        ):
            allowed, value = get_args(kind), getattr(self, field)
            _require(field, value in allowed, f"must be one of {', '.join(allowed)}", value)
        shiftable = not self.shifts_keys or self.memory_write_granularity == "token"
        _require("shifts_keys", shiftable, "needs memory_write_granularity token", self.shifts_keys)
        _require(
            "traces_keys", self.shifts_keys or not self.traces_keys, "needs shifts_keys", self.traces_keys
        )
        heads = self.delta_heads
        usable = bool(heads) and set(heads) <= set(HEADS) and len(set(heads)) == len(heads)
        _require("delta_heads", usable, "must name some of q, k, v, o, each once", heads)
        distinct = len(set(self.target_layers)) == len(self.target_layers)
        _require("target_layers", distinct, "must name each layer once", self.target_layers)

    @property
    def read_size(self) -> int:
        """Numbers in one token's readout: rank × state heads."""
        return self.rank * self.num_state_heads

    @property
    def gates(self) -> int:
        """Values of β a token."""
        return self.num_state_heads * (self.rank if self.rankwise_gates else 1)


def _require(field: str, holds: bool, rule: str, got: object) -> None:
    if not holds:
        raise AdapterError(f"adapter config: {field} {rule}, got {got!r}")


class AttentionSizes(NamedTuple):
    """The widths of one attention layer of a backbone, in features."""

    hidden: int
    q: int
    k: int
    v: int
    o: int


class WriteInputs(NamedTuple):
    """What the delta rule needs to write: `[batch, heads, time, rank]`, gates `[batch, heads, time, rank or 1]`."""

    keys: Tensor
    values: Tensor
    keep: Tensor
    erase: Tensor
    write: Tensor


class DeltaMemLayer(nn.Module):
    """The trained weights beside one attention layer, under their public names.

    `memory_{q,k,v}_proj [read_size, hidden]`, `delta_{q,k,v,o}_proj [out, read_size]` for every head in
    `delta_heads`, `beta_proj [gates, hidden]`, `beta_bias [gates]`, and where the config asks for them `lambda_proj`,
    `lambda_bias`, `trace_proj [2 · state heads, hidden]` and `trace_bias` (keep, add), `delta_o_rmsnorm_weight
    [out]`, `delta_scale_raw [1 or 4]`.
    """

    def __init__(self, config: DeltaMemConfig, sizes: AttentionSizes) -> None:
        super().__init__()
        self.config = config
        self.memory_q_proj = _uniform(config.read_size, sizes.hidden)
        self.memory_k_proj = _uniform(config.read_size, sizes.hidden)
        self.memory_v_proj = _uniform(config.read_size, sizes.hidden)
        for head in config.delta_heads:
            size = getattr(sizes, head)
            self.register_parameter(f"delta_{head}_proj", nn.Parameter(torch.zeros(size, config.read_size)))
        self.beta_proj = nn.Parameter(torch.zeros(config.gates, sizes.hidden))
        self.beta_bias = nn.Parameter(torch.full((config.gates,), config.beta_bias_init))
        if not config.couple_lambda:
            self.lambda_proj = nn.Parameter(torch.zeros(config.gates, sizes.hidden))
            self.lambda_bias = nn.Parameter(torch.full((config.gates,), -config.beta_bias_init))
        if config.traces_keys:
            self.trace_proj = nn.Parameter(torch.zeros(2 * config.num_state_heads, sizes.hidden))
            self.trace_bias = nn.Parameter(
                torch.cat((_first_keeps(config), torch.zeros(config.num_state_heads)))
            )
        if config.delta_o_rmsnorm:
            self.delta_o_rmsnorm_weight = nn.Parameter(torch.ones(sizes.o))
        if config.trainable_delta_scale:
            count = len(HEADS) if config.delta_scale_granularity == "head" else 1
            share = config.delta_scale_init / config.delta_scale_max
            self.delta_scale_raw = nn.Parameter(torch.full((count,), math.log(share / (1 - share))))

    def queries(self, hidden: Tensor) -> Tensor:
        """q = L2norm(tanh(W_q x)): hidden `[batch, time, hidden]` → float32 `[batch, heads, time, rank]`."""
        return self._normalised(self._project(hidden, self.memory_q_proj).float())

    def write_inputs(self, hidden: Tensor) -> WriteInputs:
        """Keys, values and gates of every token of hidden `[batch, time, hidden]`, float32."""
        return self._inputs(hidden, with_queries=False)[1]

    def read_and_write_inputs(self, hidden: Tensor) -> tuple[Tensor, WriteInputs]:
        """Both of the above from one product of the hidden states."""
        queries, inputs = self._inputs(hidden, with_queries=True)
        assert queries is not None
        return queries, inputs

    def _inputs(self, hidden: Tensor, *, with_queries: bool) -> tuple[Tensor | None, WriteInputs]:
        config = self.config
        weights: list[Tensor] = [self.memory_k_proj, self.memory_v_proj, self.beta_proj]
        if not config.couple_lambda:
            weights.append(self.lambda_proj)
        if config.traces_keys:
            weights.append(self.trace_proj)
        if with_queries:
            weights.append(self.memory_q_proj)
        # One product for all: a long text is read from memory once, not five times.
        projected = self._project(hidden, torch.cat(weights))
        if runs_kernels(projected) and not torch.is_grad_enabled() and not config.traces_keys:
            from dmdoc.memory.adapter_triton import fused_inputs

            queries, inputs = fused_inputs(
                projected,
                self.beta_bias,
                None if config.couple_lambda else self.lambda_bias,
                heads=config.num_state_heads,
                rank=config.rank,
                mode=config.state_update_mode,
                with_queries=with_queries,
                normalised=config.normalize_qk,
                shifts_keys=config.shifts_keys,
            )
            return queries, WriteInputs(*inputs)
        parts = list(torch.split(projected.float(), [len(weight) for weight in weights], dim=-1))
        asked = self._normalised(parts.pop()) if with_queries else None
        keys, values, beta, *own_gates = parts
        write = torch.sigmoid(self._split_heads(beta + self.beta_bias.float()))
        lam = 1.0 - write
        if not config.couple_lambda:
            lam = torch.sigmoid(self._split_heads(own_gates.pop(0) + self.lambda_bias.float()))
        keep = torch.ones_like(lam) if config.state_update_mode == "no_lambda" else lam
        erase = lam * write if config.state_update_mode == "lambda_outside" else write
        addresses = self._normalised(keys, own_gates.pop() if config.traces_keys else None)
        if config.shifts_keys:
            addresses = functional.pad(addresses, (0, 0, 1, 0))[:, :, :-1]
        return asked, WriteInputs(addresses, self._split_heads(values), keep, erase, write)

    def readout(self, reads: Tensor, dtype: torch.dtype) -> Tensor:
        """All that a token reads: `[batch, heads, time, rank]` → `[batch, time, read_size]` in the backbone's dtype."""
        return reads.transpose(1, 2).flatten(2).to(dtype)

    def corrected(self, head: Head, output: Tensor, readout: Tensor) -> Tensor:
        """What a corrected projection gives, `[batch, time, out]`, with its correction; without gradients in place."""
        weight: Tensor = self.get_parameter(f"delta_{head}_proj")
        scale = self.config.alpha / self.config.rank
        if self.config.trainable_delta_scale:
            index = HEADS.index(head) if self.config.delta_scale_granularity == "head" else 0
            weight = weight * (torch.sigmoid(self.delta_scale_raw[index]) * self.config.delta_scale_max)
        weight, readout = weight.to(output.dtype), readout.to(output.dtype)
        if head == "o" and self.config.delta_o_rmsnorm:
            delta = functional.linear(readout, weight) * scale
            norm = self.delta_o_rmsnorm_weight.to(delta.dtype)
            return output + functional.rms_norm(delta, norm.shape, norm, self.config.delta_o_rmsnorm_eps)
        # Scaled and added by the product itself: one operation, and no other tensor as wide as the projection.
        rows = output.flatten(0, 1)
        add = rows.addmm if torch.is_grad_enabled() else rows.addmm_
        return add(readout.flatten(0, 1), weight.T, alpha=scale).view_as(output)

    def _project(self, hidden: Tensor, weight: Tensor) -> Tensor:
        # In the backbone's dtype, which is the faster one where it runs; the scan works in float32 whatever that is.
        return functional.linear(hidden, weight.to(hidden.dtype))

    def _split_heads(self, projected: Tensor) -> Tensor:  # [batch, time, heads·d] → [batch, heads, time, d]
        return torch.stack(projected.chunk(self.config.num_state_heads, dim=-1), dim=1)

    def _normalised(self, projected: Tensor, trace_gates: Tensor | None = None) -> Tensor:
        heads = self._split_heads(projected)
        if self.config.normalize_qk:
            heads = torch.tanh(heads)
        if trace_gates is not None:
            gates = torch.sigmoid(trace_gates + self.trace_bias.float())
            heads = trace_keys(heads, *(self._split_heads(each) for each in gates.chunk(2, dim=-1)))
        return functional.normalize(heads, dim=-1, eps=1e-6) if self.config.normalize_qk else heads


class DeltaMemAdapter(nn.Module):
    """One `DeltaMemLayer` for every layer that has a memory. Its parameters are all that training changes."""

    def __init__(self, config: DeltaMemConfig, sizes: Sequence[AttentionSizes]) -> None:
        """Args: sizes: of every attention layer of the backbone, in order.

        Raises:
            AdapterError: `target_layers` names a layer that the backbone does not have.
        """
        super().__init__()
        self.config = config
        self.layer_indices = tuple(sorted(config.target_layers)) or tuple(range(len(sizes)))
        for index in self.layer_indices:
            if not 0 <= index < len(sizes):
                raise AdapterError(
                    f"adapter config: target_layers names layer {index}, the backbone has {len(sizes)}"
                )
        self.layers = nn.ModuleList(DeltaMemLayer(config, sizes[index]) for index in self.layer_indices)

    def learn_reading_alone(self) -> None:
        """Leave gradients to queries and corrections: what is written stays as it is."""
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(is_of_reading(name))

    def layer(self, position: int) -> DeltaMemLayer:
        """The layer at `position` among those that have a memory."""
        layer = self.layers[position]
        assert isinstance(layer, DeltaMemLayer)
        return layer

    @property
    def state_shape(self) -> tuple[int, int, int]:
        """(layers, heads, rank) of the states that this adapter writes."""
        return len(self.layer_indices), self.config.num_state_heads, self.config.rank


def is_of_reading(name: str) -> bool:
    """Whether a parameter of that name has a part in reading alone: a query's, or a correction's."""
    return name.rpartition(".")[2].startswith(("memory_q_", "delta_"))


def _first_keeps(config: DeltaMemConfig) -> Tensor:
    """Biases with which half of the heads keep the last token alone, and head number i of the others keeps 1 − 2⁻ⁱ."""
    numbers = torch.arange(config.num_state_heads)
    keeps = torch.where(numbers < config.num_state_heads // 2, 0.02, 1 - 0.5**numbers)
    return torch.logit(keeps.clamp_min(0.02))


def _uniform(rows: int, columns: int) -> nn.Parameter:
    bound = 1 / math.sqrt(columns)
    return nn.Parameter(torch.empty(rows, columns).uniform_(-bound, bound))
