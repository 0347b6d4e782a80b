"""What a pass takes is known before it is run: the estimate is held against what PyTorch takes of the memory."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny import SIZES, tiny_adapter, tiny_model
from torch.profiler import ProfilerActivity, profile
from transformers import Qwen3Config

from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.state import MemoryState
from dmdoc.memory.state_header import Identity
from dmdoc.model.backbone import Backbone
from dmdoc.model.footprint import free_bytes, refine_bytes, weight_bytes, write_bytes
from dmdoc.model.hardware import detect_hardware
from dmdoc.model.packing import Read
from dmdoc.model.reader import Reader
from dmdoc.refine.practice import STEP_READS
from dmdoc.refine.steps import refine
from dmdoc.text.chunking import Chunk

WIDE: dict[str, Any] = {"hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 8}
IDENTITY = Identity("sized", "0" * 64)


def sized_reader(adapter: DeltaMemConfig, dtype: torch.dtype = torch.float32, **sizes: Any) -> Reader:
    model = tiny_model(Qwen3Config(**(SIZES | sizes), head_dim=16)).to(dtype)
    backbone = Backbone(
        "sized", model, None, IDENTITY, IDENTITY, torch.device("cpu"), dtype, "sdpa"  # type: ignore[arg-type]
    )  # fmt: skip
    return Reader(backbone, tiny_adapter(model, adapter).to(dtype), IDENTITY)


def peak(run: Callable[[], object]) -> int:
    """The most bytes that PyTorch had taken at once, beyond those that it had before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        run()
    events = [event for event in recorded.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


@pytest.mark.slow
@pytest.mark.parametrize(
    ("adapter", "dtype", "sizes"),
    [
        (DeltaMemConfig(), torch.float32, {"num_hidden_layers": 2}),
        (DeltaMemConfig(delta_heads=("q", "k", "v", "o")), torch.float32, WIDE | {"num_hidden_layers": 9}),
        (DeltaMemConfig(), torch.bfloat16, WIDE | {"intermediate_size": 1024, "num_hidden_layers": 2}),
        (DeltaMemConfig(rank=32), torch.float32, {"num_hidden_layers": 2}),
        (DeltaMemConfig(num_state_heads=4, rankwise_gates=False), torch.float32, {"num_hidden_layers": 2}),
    ],
    ids=["small", "many layers", "bfloat16", "rank 32", "heads"],
)
def test_what_a_write_takes_is_known(adapter: DeltaMemConfig, dtype: torch.dtype, sizes: Any) -> None:
    if dtype == torch.bfloat16 and not detect_hardware().cpu_bf16:
        pytest.skip(
            "a processor that emulates bfloat16 makes copies in float32, and dmdoc never chooses it there"
        )
    reader, rows, tokens = sized_reader(adapter, dtype, **sizes), 2, 320
    chunks = [Chunk(tuple(range(tokens % 250)) + (7,) * (tokens - tokens % 250), (0,) * tokens, "")] * rows
    with torch.no_grad():
        taken = peak(lambda: reader.write(chunks, reader.zero_state(rows)))
    assert taken <= write_bytes(reader, rows * tokens) <= 2 * taken


def reads(count: int) -> Iterator[Read]:
    for number in range(count):
        yield Read((5, 6, *([number] * 28)), (*([number + 1] * 15), 9))


@pytest.mark.slow
@pytest.mark.parametrize(
    "sizes",
    [{}, WIDE | {"num_hidden_layers": 6}, {"vocab_size": 4096}],
    ids=["small", "many layers", "vocabulary"],
)
def test_what_a_step_of_refinement_takes_is_known(sizes: Any) -> None:
    reader, rows = sized_reader(DeltaMemConfig(), **({"num_hidden_layers": 2} | sizes)), 2
    zero = reader.zero_state(rows)
    state = MemoryState(tuple(torch.randn_like(layer) for layer in zero.layers))
    practices = [tuple(reads(8))] * rows
    columns = 2 + STEP_READS * (28 + 15)
    taken = peak(lambda: refine(state, practices, reader, 1))
    assert taken <= refine_bytes(reader, rows, columns, STEP_READS * 16) <= 2 * taken


def test_shared_weights_count_once() -> None:
    reader = sized_reader(DeltaMemConfig(), num_hidden_layers=1, tie_word_embeddings=True)
    named = {name: each.nbytes for name, each in reader.backbone.model.named_parameters()}
    assert "lm_head.weight" not in named
    own = sum(each.nbytes for each in reader.adapter.parameters())
    assert weight_bytes(reader) == sum(named.values()) + own


def test_what_pytorch_holds_unused_on_a_card_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(
        mem_get_info=lambda device: (100, 1000),
        memory_reserved=lambda device: 70,
        memory_allocated=lambda device: 40,
    )
    monkeypatch.setattr(torch, "cuda", card)
    assert free_bytes(torch.device("cuda:1")) == 130
    assert free_bytes(torch.device("cpu")) is None
