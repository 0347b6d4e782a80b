"""Texts of unequal length end to end in one row: the states of those that are written one by one."""

import sys
from dataclasses import replace
from unittest.mock import Mock

import pytest
import torch
from fake_flash import FakeFlash
from test_causal_lm import CONFIGS
from tiny import own_model, tiny_adapter, tiny_model, tiny_pointer, tiny_tokenizer

from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.end_to_end import EndToEnd
from dmdoc.memory.state import MemoryState
from dmdoc.memory.state_header import Identity
from dmdoc.model.backbone import Backbone, describe
from dmdoc.model.reader import Reader
from dmdoc.model.tokenizer import TextTokenizer
from dmdoc.settings.generation import GenerationSettings
from dmdoc.text.chunking import Chunk

LENGTHS = (17, 3, 64, 1, 30)
NOBODY = Identity("tiny", "0" * 64)


@pytest.fixture
def flash(monkeypatch: pytest.MonkeyPatch) -> FakeFlash:
    fake = FakeFlash()
    monkeypatch.setitem(sys.modules, "flash_attn", fake)
    return fake


def own_reader(name: str, attention: str, config: DeltaMemConfig | None = None) -> Reader:
    """A reader through decoder.py; the same arguments, the same weights."""
    ours = own_model(tiny_model(CONFIGS[name]))
    backbone = Backbone(
        name="tiny", model=ours, tokenizer=TextTokenizer(tiny_tokenizer()),
        identity=NOBODY, tokenizer_identity=NOBODY, device=torch.device("cpu"), dtype=torch.float32,
        attention=attention,
    )  # fmt: skip
    return Reader(backbone, tiny_adapter(ours, config), NOBODY)


def chunks() -> list[Chunk]:
    torch.manual_seed(2)
    return [
        Chunk(
            tuple(torch.randint(0, 256, (length,)).tolist()), tuple(place // 4 for place in range(length)), ""
        )
        for length in LENGTHS
    ]


def random_state(reader: Reader) -> MemoryState:
    torch.manual_seed(4)
    zero = reader.zero_state(len(LENGTHS))
    return MemoryState(tuple(torch.randn_like(layer) for layer in zero.layers))


def distance(first: MemoryState, second: MemoryState) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(first.layers, second.layers, strict=True))


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("llama", DeltaMemConfig()),
        ("qwen3", DeltaMemConfig()),
        ("smollm3", DeltaMemConfig()),
        ("qwen3", DeltaMemConfig(delta_heads=("q", "k", "v", "o"), num_state_heads=2, rankwise_gates=False)),
        ("qwen3", DeltaMemConfig(shifts_keys=True, corrects_while_writing=False)),
        ("qwen3", DeltaMemConfig(memory_write_granularity="message_mean")),
        ("qwen3", DeltaMemConfig(memory_write_granularity="sentence_mean")),
    ],
    ids=["llama", "qwen3", "smollm3", "heads", "shifted", "messages", "sentences"],
)
def test_what_is_written_end_to_end_is_what_is_written_one_by_one(
    name: str, config: DeltaMemConfig, flash: FakeFlash
) -> None:
    packing, plain = own_reader(name, "flash_attention_2", config), own_reader(name, "sdpa", config)
    before = random_state(plain)
    with torch.no_grad():
        together = packing.write(chunks(), before)
        alone = [plain.write([chunk], before.rows(n, n + 1)) for n, chunk in enumerate(chunks())]

    assert distance(together, MemoryState.cat(alone)) < 1e-5
    assert distance(together, before) > 0.01
    # The last layer is left before its attention.
    assert flash.bounds == [[0, 17, 20, 84, 85, 115]] * (packing.backbone.layer_count - 1)


def test_a_pointer_keeps_of_each_text_what_it_keeps_of_it_alone(flash: FakeFlash) -> None:
    readers = [
        replace(own_reader("qwen3", attention), pointer=tiny_pointer())
        for attention in ("flash_attention_2", "sdpa")
    ]
    with torch.no_grad():
        together, padded = (each.write(chunks(), each.zero_state(len(LENGTHS))).vectors for each in readers)

    assert together is not None
    assert padded is not None
    assert together.tokens == LENGTHS
    off = (together.whole.int() - padded.whole.int()).abs()
    assert off.max() <= 1  # a step, where a number lies between two
    assert off.float().mean() < 0.01


def test_the_model_computes_no_padding_and_counts_each_text_from_its_beginning(
    flash: FakeFlash, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = own_reader("qwen3", "flash_attention_2")
    decoder = reader.backbone.model.model
    rotary = Mock(wraps=decoder._positions)
    monkeypatch.setattr(decoder, "_positions", rotary)
    seen: list[tuple[int, ...]] = []
    decoder.layers[0].mlp.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[:2]))
    with torch.no_grad():
        reader.write(chunks(), reader.zero_state(len(LENGTHS)))

    assert seen == [(1, sum(LENGTHS))]
    assert rotary.call_args.args[0].tolist() == [[place for length in LENGTHS for place in range(length)]]


def test_gradients_go_through_it(flash: FakeFlash) -> None:
    given = []
    for attention in ("flash_attention_2", "sdpa"):
        reader = own_reader("qwen3", attention)
        reader.adapter.requires_grad_(True)
        written = reader.write(chunks(), reader.zero_state(len(LENGTHS)))
        torch.autograd.backward([layer.square().sum() for layer in written.layers])
        given.append([each.grad for each in reader.adapter.parameters() if each.grad is not None])

    packed, padded = given
    assert packed
    torch.testing.assert_close(packed, padded, rtol=1e-4, atol=1e-4)


def test_answers_do_without_it_and_it_is_said(flash: FakeFlash) -> None:
    packing, plain = own_reader("qwen3", "flash_attention_2"), own_reader("qwen3", "sdpa")
    state, settings = plain.zero_state(), GenerationSettings(max_tokens=4)

    assert packing.generate([5, 6, 7], state, settings) == plain.generate([5, 6, 7], state, settings)
    assert not flash.bounds
    assert describe(packing.backbone) == "tiny on cpu, float32, flash_attention_2"


def test_texts_of_one_length_are_only_shaped_otherwise() -> None:
    texts = EndToEnd.of((3, 3), torch.device("cpu"))
    row = torch.randn(1, 6, 2)

    assert torch.equal(texts.apart(row), row.view(2, 3, 2))
    assert torch.equal(texts.joined(texts.apart(row).unsqueeze(1)), row.unsqueeze(1))
