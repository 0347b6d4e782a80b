from typing import Any

import pytest
import torch
from tiny import FLOAT32

from dmdoc.errors import AdapterError
from dmdoc.memory.adapter import HEADS, AttentionSizes, DeltaMemAdapter, DeltaMemConfig, DeltaMemLayer, Head
from dmdoc.memory.delta_rule import delta_rule

SIZES = AttentionSizes(hidden=6, q=10, k=4, v=5, o=7)
RANK = 3


def layer(**fields: Any) -> DeltaMemLayer:
    """A layer with random weights everywhere; hidden states are float32 `[batch, time, 6]`."""
    torch.manual_seed(0)
    made = DeltaMemLayer(DeltaMemConfig(rank=RANK, **fields), SIZES)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made.requires_grad_(False)


@pytest.fixture
def hidden() -> torch.Tensor:
    return torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(1))


def beta_of(made: DeltaMemLayer, hidden: torch.Tensor) -> torch.Tensor:
    """β straight from the formula, for one state head: `[batch, 1, time, gates]`."""
    return torch.sigmoid(hidden @ made.beta_proj.T + made.beta_bias)[:, None]


@pytest.mark.parametrize("rankwise", [True, False])
@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("mode", ["standard", "lambda_outside", "no_lambda"])
def test_the_gates_of_every_update_mode(
    mode: str, coupled: bool, rankwise: bool, hidden: torch.Tensor
) -> None:
    made = layer(state_update_mode=mode, couple_lambda=coupled, rankwise_gates=rankwise)
    beta = beta_of(made, hidden)
    lam = 1 - beta if coupled else torch.sigmoid(hidden @ made.lambda_proj.T + made.lambda_bias)[:, None]
    expected = {
        "standard": (lam, beta, beta),
        "lambda_outside": (lam, lam * beta, beta),
        "no_lambda": (torch.ones_like(lam), beta, beta),
    }[mode]

    _, _, *gates = made.write_inputs(hidden)
    assert gates[0].shape == (2, 1, 4, RANK if rankwise else 1)
    for gate, wanted in zip(gates, expected, strict=True):
        torch.testing.assert_close(gate, wanted)


def test_shifted_keys_are_those_of_the_token_before(hidden: torch.Tensor) -> None:
    plain, shifted = (layer(num_state_heads=2, shifts_keys=on).write_inputs(hidden) for on in (False, True))

    assert torch.equal(shifted.keys[:, :, 1:], plain.keys[:, :, :-1])
    assert not shifted.keys[:, :, 0].any()
    for name in ("values", "keep", "erase", "write"):
        assert torch.equal(getattr(shifted, name), getattr(plain, name)), name


def test_traced_keys_are_the_formula_token_by_token(hidden: torch.Tensor) -> None:
    made = layer(num_state_heads=2, shifts_keys=True, traces_keys=True)
    raw = torch.tanh(hidden @ made.memory_k_proj.T).view(2, 4, 2, RANK)  # [batch, time, heads, rank]
    keep, add = torch.sigmoid(hidden @ made.trace_proj.T + made.trace_bias).chunk(2, dim=-1)
    trace, expected = torch.zeros(2, 2, RANK), []
    for token in range(4):
        expected.append(torch.nn.functional.normalize(trace, dim=-1))
        trace = keep[:, token, :, None] * trace + add[:, token, :, None] * raw[:, token]

    torch.testing.assert_close(made.write_inputs(hidden).keys, torch.stack(expected, dim=2))


def test_a_trace_that_keeps_nothing_is_a_shift(hidden: torch.Tensor) -> None:
    shifted, traced = (layer(shifts_keys=True, traces_keys=on) for on in (False, True))
    traced.load_state_dict(shifted.state_dict(), strict=False)
    traced.trace_proj.zero_()
    traced.trace_bias.copy_(torch.tensor([-40.0, 0.0]))

    for one, other in zip(shifted.write_inputs(hidden), traced.write_inputs(hidden), strict=True):
        torch.testing.assert_close(one, other)


def test_traces_need_shifted_keys() -> None:
    with pytest.raises(AdapterError, match="traces_keys needs shifts_keys"):
        DeltaMemConfig(traces_keys=True)


def test_with_shifted_keys_a_query_finds_what_came_next(hidden: torch.Tensor) -> None:
    made = layer(shifts_keys=True, couple_lambda=False, state_update_mode="no_lambda")
    made.memory_q_proj.copy_(made.memory_k_proj)
    made.beta_proj.zero_()
    made.beta_bias.fill_(20.0)  # β = 1: what was last written under a key is what it gives back
    inputs = made.write_inputs(hidden)
    _, state = delta_rule(None, *inputs, torch.zeros(2, 1, RANK, RANK), torch.ones(2, 4).bool())
    found = made.queries(hidden) @ state.transpose(-1, -2)

    torch.testing.assert_close(found[:, :, -2], inputs.values[:, :, -1])


def test_keys_and_queries_have_length_one_in_every_state_head(hidden: torch.Tensor) -> None:
    made = layer(num_state_heads=4)
    keys, values, *gates = made.write_inputs(hidden)
    queries = made.queries(hidden)

    assert keys.shape == queries.shape == values.shape == gates[0].shape == (2, 4, 4, RANK)
    torch.testing.assert_close(keys.norm(dim=-1), torch.ones(2, 4, 4))
    torch.testing.assert_close(queries.norm(dim=-1), torch.ones(2, 4, 4))
    # The second state head is rows 3 to 5 of the projection, through tanh.
    raw = torch.tanh(hidden @ made.memory_k_proj[RANK : 2 * RANK].T)
    torch.testing.assert_close(keys[:, 1], raw / raw.norm(dim=-1, keepdim=True))
    torch.testing.assert_close(values[:, 1], hidden @ made.memory_v_proj[RANK : 2 * RANK].T)


def test_without_normalisation_keys_and_queries_are_plain_projections(hidden: torch.Tensor) -> None:
    made = layer(normalize_qk=False)

    torch.testing.assert_close(made.queries(hidden)[:, 0], hidden @ made.memory_q_proj.T)
    torch.testing.assert_close(made.write_inputs(hidden).keys[:, 0], hidden @ made.memory_k_proj.T)


def test_a_hidden_state_of_zeros_gives_no_nan() -> None:
    made = layer()
    assert not made.queries(torch.zeros(1, 1, 6)).any()
    assert all(part.isfinite().all() for part in made.write_inputs(torch.zeros(1, 1, 6)))


def test_the_scan_is_fed_in_float32_whatever_the_weights_are_in(hidden: torch.Tensor) -> None:
    made = layer(couple_lambda=False).to(torch.bfloat16)

    assert {part.dtype for part in made.write_inputs(hidden.bfloat16())} == {torch.float32}
    assert made.queries(hidden.bfloat16()).dtype == torch.float32
    assert made.readout(torch.randn(2, 1, 4, RANK), torch.bfloat16).dtype == torch.bfloat16


def correction(made: DeltaMemLayer, head: Head, reads: torch.Tensor) -> torch.Tensor:
    """What is added to a projection that gives zeros."""
    zeros = torch.zeros(2, 4, getattr(SIZES, head))
    return made.corrected(head, zeros, made.readout(reads, torch.float32))


@pytest.mark.parametrize("gradients", [True, False])
def test_corrections_are_scaled_by_alpha_over_rank(gradients: bool) -> None:
    made = layer(alpha=12.0, num_state_heads=2, delta_heads=HEADS)
    reads = torch.randn(2, 2, 4, RANK)  # [batch, heads, time, rank]
    flat = torch.cat((reads[:, 0], reads[:, 1]), dim=-1)

    for head in HEADS:
        output = torch.randn(2, 4, getattr(SIZES, head))
        expected = output + 4.0 * flat @ made.get_parameter(f"delta_{head}_proj").T
        given = output.clone()
        with torch.set_grad_enabled(gradients):
            corrected = made.corrected(head, given, made.readout(reads, torch.float32))
        torch.testing.assert_close(corrected, expected, **FLOAT32)
        assert torch.equal(given, output) is gradients, "without gradients in place"


def test_only_the_configured_projections_are_corrected() -> None:
    made = layer(delta_heads=("k",))
    assert {name for name, _ in made.named_parameters() if name.startswith("delta")} == {"delta_k_proj"}


def test_the_output_correction_can_be_rms_normalised() -> None:
    made, reads = layer(delta_o_rmsnorm=True), torch.randn(2, 1, 4, RANK)
    given = correction(made, "o", reads)
    made.delta_o_rmsnorm_weight.fill_(1.0)
    normalised = correction(made, "o", reads)

    assert given.shape == (2, 4, SIZES.o)
    torch.testing.assert_close(normalised.square().mean(-1), torch.ones(2, 4), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("granularity", "indices"), [("layer", (0, 0)), ("head", (0, 3))])
def test_the_scale_can_be_trained_per_layer_or_per_projection(
    granularity: str, indices: tuple[int, int]
) -> None:
    made = layer(trainable_delta_scale=True, delta_scale_granularity=granularity, delta_scale_max=3.0)
    plain = layer()
    plain.delta_q_proj, plain.delta_o_proj = made.delta_q_proj, made.delta_o_proj
    reads = torch.randn(2, 1, 4, RANK)

    heads: tuple[Head, ...] = ("q", "o")
    for head, index in zip(heads, indices, strict=True):
        scale = 3.0 * torch.sigmoid(made.delta_scale_raw[index])
        expected = scale * correction(plain, head, reads)
        torch.testing.assert_close(correction(made, head, reads), expected, **FLOAT32)


def test_an_untrained_adapter_corrects_nothing_and_starts_at_its_configured_gates(
    hidden: torch.Tensor,
) -> None:
    config = DeltaMemConfig(couple_lambda=False, trainable_delta_scale=True, delta_scale_init=0.5)
    made = DeltaMemAdapter(config, [SIZES]).layer(0).requires_grad_(False)
    inputs = made.write_inputs(hidden)

    assert not any(correction(made, head, torch.randn(2, 1, 4, 8)).any() for head in config.delta_heads)
    torch.testing.assert_close(inputs.write, torch.full((2, 1, 4, 8), 0.1824255))  # sigmoid(−1.5)
    torch.testing.assert_close(inputs.keep, torch.full((2, 1, 4, 8), 0.8175745))
    torch.testing.assert_close(2.0 * torch.sigmoid(made.delta_scale_raw), torch.tensor([0.5]))


def test_the_memory_stands_beside_the_chosen_layers() -> None:
    other = SIZES._replace(q=20)
    adapter = DeltaMemAdapter(DeltaMemConfig(target_layers=(0, 2), num_state_heads=2), [SIZES, SIZES, other])

    assert adapter.layer_indices == (0, 2)
    assert adapter.state_shape == (2, 2, 8)
    assert adapter.layer(1).get_parameter("delta_q_proj").shape == (20, 16)
    assert DeltaMemAdapter(DeltaMemConfig(), [SIZES] * 3).layer_indices == (0, 1, 2)


@pytest.mark.parametrize("index", [-1, 3])
def test_a_layer_outside_the_backbone_is_refused(index: int) -> None:
    with pytest.raises(AdapterError, match=f"names layer {index}, the backbone has 3"):
        DeltaMemAdapter(DeltaMemConfig(target_layers=(0, index)), [SIZES] * 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rank", 0),
        ("num_state_heads", 0),
        ("write_budget", 0),
        ("evidenced_tokens", -1),
        ("alpha", 0.0),
        ("alpha", float("nan")),
        ("beta_bias_init", float("inf")),
        ("state_update_mode", "none"),
        ("memory_write_granularity", "page"),
        ("write_layout", "html"),
        ("delta_scale_granularity", "model"),
        ("delta_heads", ("q", "x")),
        ("delta_heads", ("q", "q")),
        ("delta_heads", ()),
        ("target_layers", (1, 1)),
        ("delta_scale_max", 0.0),
        ("delta_scale_init", 2.0),
        ("delta_o_rmsnorm_eps", 0.0),
    ],
)
def test_a_value_that_no_adapter_can_have_is_refused(field: str, value: object) -> None:
    with pytest.raises(AdapterError, match=rf"adapter config: {field} .*") as raised:
        DeltaMemConfig(**{field: value})  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_keys_of_means_are_not_shifted() -> None:
    with pytest.raises(AdapterError, match="shifts_keys needs memory_write_granularity token"):
        DeltaMemConfig(shifts_keys=True, memory_write_granularity="sentence_mean")
