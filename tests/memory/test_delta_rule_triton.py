"""The kernels for a card against the formula, interpreted on the processor where there is no card."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from launches import of_a_tiny_layer
from test_delta_rule import NAMES, distance, formula_form, gradients, masks, random_scan, results
from tiny import tiny_reader
from torch import Tensor

triton = pytest.importorskip("triton")

from dmdoc.memory import adapter as layers  # noqa: E402
from dmdoc.memory import delta_rule as dispatch  # noqa: E402
from dmdoc.memory import delta_rule_triton  # noqa: E402
from dmdoc.memory.adapter import AttentionSizes, DeltaMemConfig, DeltaMemLayer  # noqa: E402
from dmdoc.memory.adapter_triton import fused_inputs  # noqa: E402
from dmdoc.memory.delta_rule import MAX_KERNEL_RANK  # noqa: E402

Form = Any
fused_form: Form = delta_rule_triton.delta_rule_fused

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CHUNK = 4
LENGTHS = (1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3)

pytestmark = pytest.mark.slow  # the interpreter takes its time


@pytest.fixture(autouse=True)
def memory_that_held_something() -> Iterator[None]:
    """What a kernel leaves out is no number, instead of a zero that nobody used before."""
    torch.use_deterministic_algorithms(DEVICE == "cpu")
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter takes milliseconds a step: the same chunks, only shorter."""
    monkeypatch.setattr(delta_rule_triton, "CHUNK_WITH_GRADIENTS", CHUNK)
    monkeypatch.setattr(delta_rule_triton, "CHUNK", 2 * CHUNK)


def on_device(arguments: list[Tensor]) -> list[Tensor]:
    return [tensor.detach().to(DEVICE).requires_grad_() for tensor in arguments]


@pytest.mark.parametrize("mask", ["none", "holes", "padded"])
@pytest.mark.parametrize("rows", [True, False], ids=["row gates", "head gates"])
@pytest.mark.parametrize("time", LENGTHS)
def test_the_kernels_and_their_gradients_equal_the_formula(time: int, rows: bool, mask: str) -> None:
    arguments = on_device(random_scan(time, rows=rows, heads=1, rank=3))
    chosen = masks(time)[mask]
    chosen = None if chosen is None else chosen.to(DEVICE)
    fused = fused_form(*arguments, mask=chosen)
    formula = formula_form(*arguments, mask=chosen)

    assert distance(results(fused), results(formula)) < 1e-12
    errors = {
        name: distance([fast], [slow])
        for name, fast, slow in zip(
            NAMES, gradients(fused, arguments), gradients(formula, arguments), strict=True
        )
    }
    assert max(errors.values()) < 1e-12, errors


@pytest.mark.parametrize("rows", [True, False], ids=["row gates", "head gates"])
def test_long_texts_take_larger_chunks_without_gradients(rows: bool) -> None:
    arguments = on_device(random_scan(4 * CHUNK + 3, rows=rows, batch=1, heads=2, rank=4))
    with torch.no_grad():
        fused, formula = fused_form(*arguments), formula_form(*arguments)

    assert distance(results(fused), results(formula)) < 1e-12


@pytest.mark.parametrize("rows", [True, False], ids=["row gates", "head gates"])
def test_writing_alone_has_gradients_too(rows: bool) -> None:
    _, *arguments = on_device(random_scan(CHUNK + 2, rows=rows, heads=1, rank=4))
    fused, formula = fused_form(None, *arguments), formula_form(None, *arguments)

    assert fused[0] is None
    assert distance([fused[1]], [formula[1]]) < 1e-12
    assert distance(gradients(fused, arguments), gradients(formula, arguments)) < 1e-12


@pytest.mark.parametrize("rank", [8, 32, MAX_KERNEL_RANK])
def test_every_rank_of_an_adapter_fits(rank: int) -> None:
    arguments = on_device(random_scan(5, rows=rank == 8, batch=1, heads=1, rank=rank))
    fused, formula = fused_form(*arguments), formula_form(*arguments)

    assert distance(results(fused), results(formula)) < 1e-12
    assert distance(gradients(fused, arguments), gradients(formula, arguments)) < 1e-12


def test_a_text_of_no_tokens_leaves_the_state() -> None:
    arguments = on_device(random_scan(0))
    reads, state = fused_form(*arguments)

    assert reads is not None
    assert reads.shape[2] == 0
    assert torch.equal(state, arguments[-1])


@pytest.mark.parametrize("mode", ["standard", "lambda_outside", "no_lambda"])
@pytest.mark.parametrize("rows", [True, False], ids=["row gates", "head gates"])
@pytest.mark.parametrize("coupled", [True, False], ids=["1 − β", "own λ"])
@pytest.mark.parametrize("shifts", [True, False], ids=["shifted", "not shifted"])
def test_the_kernel_of_the_inputs_equals_the_layer(
    mode: Any, rows: bool, coupled: bool, shifts: bool
) -> None:
    config = DeltaMemConfig(
        rank=3, num_state_heads=2, state_update_mode=mode, rankwise_gates=rows, couple_lambda=coupled,
        shifts_keys=shifts, normalize_qk=shifts,
    )  # fmt: skip
    torch.manual_seed(1)
    layer = DeltaMemLayer(config, AttentionSizes(5, 5, 5, 5, 5)).to(DEVICE)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    hidden = torch.randn(2, 21, 5, device=DEVICE)
    weights = [layer.memory_k_proj, layer.memory_v_proj, layer.beta_proj]
    weights += [] if coupled else [layer.lambda_proj]
    projected = hidden @ torch.cat([*weights, layer.memory_q_proj]).T

    with torch.no_grad():
        queries, inputs = fused_inputs(
            projected, layer.beta_bias, None if coupled else layer.lambda_bias, heads=2, rank=3, mode=mode,
            with_queries=True, normalised=config.normalize_qk, shifts_keys=shifts,
        )  # fmt: skip
        expected = [layer.queries(hidden), *layer.write_inputs(hidden)]

    assert queries is not None
    assert distance([queries, *inputs], expected) < 1e-6


@pytest.mark.parametrize(
    ("corrects", "expected"),
    [
        (False, {"cat": 1, "mm": 1, "_inputs": 1, "_maps": 1, "_chain": 1}),
        (
            True,
            {
                "cat": 1,
                "mm": 1,
                "_inputs": 1,
                "_maps": 1,
                "_chain": 1,
                "_reads": 1,
                "_to_copy": 1,
                "addmm_": 2,
            },
        ),
    ],
)
def test_a_layer_launches_few_kernels(corrects: bool, expected: dict[str, int]) -> None:
    assert of_a_tiny_layer(corrects) == expected


def test_a_reader_writes_through_the_kernels_what_it_writes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a card, where all of a writing pass goes through them."""
    reader = tiny_reader(DeltaMemConfig(rank=4, num_state_heads=2, rankwise_gates=False))
    chunks = reader.chunks("Lot one is a chair.") + reader.chunks("Lot two is a table, and lot three a lamp.")
    with torch.no_grad():
        expected = reader.write(chunks, reader.zero_state(2))
        for module in (dispatch, layers):
            monkeypatch.setattr(module, "runs_kernels", lambda _: True)
        written = reader.write(chunks, reader.zero_state(2))

    assert not expected.equals(reader.zero_state(2))
    assert distance(written.layers, expected.layers) < 1e-5


@pytest.mark.slow
def test_the_kernels_compile_for_cards_that_are_not_here() -> None:
    script = Path(__file__).parent / "compile_kernels.py"
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    compiled = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=True
    )

    assert len(compiled.stdout.splitlines()) == 7 * 2 * 2
