"""What only a CUDA card can show: it writes, answers, refines and trains as the processor does.

Tiny models in float32, so that both can be compared number by number; bfloat16 against it, more loosely.
"""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_delta_rule import chunked_form, distance, formula_form, masks, random_scan, results
from tiny import save_tiny_reader, tiny_reader
from tiny_practice import CONFIG, FACTS, LONG, opinionated, practices_of
from tiny_training import tiny_config

from dmdoc.answer.recall import Inquiry, recall_all
from dmdoc.document import Document
from dmdoc.ingest.sections import write_text
from dmdoc.ingest.single import ingest
from dmdoc.library.library import Library
from dmdoc.memory.state import MemoryState
from dmdoc.model.backbone import load_backbone
from dmdoc.model.reader import Reader, load_reader
from dmdoc.refine.steps import refine
from dmdoc.settings.generation import GenerationSettings
from dmdoc.training.loop import train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card"),
]


@pytest.fixture
def reader() -> Reader:
    """On the processor."""
    return opinionated(tiny_reader(CONFIG))


def on_card(reader: Reader, folder: Path, dtype: str = "float32", attention: str = "auto") -> Reader:
    """The same reader, loaded from files onto the card."""
    model, adapter = save_tiny_reader(reader, folder)
    backbone = load_backbone(model, name="tiny", device="cuda", dtype=dtype, attention=attention)
    return load_reader(backbone, adapter, adapter_name="tiny-adapter")


def share(first: MemoryState, second: MemoryState) -> float:
    """Largest difference of two states, as a share of the largest number of the first."""
    largest = max(float(layer.abs().max()) for layer in first.layers)
    return distance(first.to("cpu").layers, second.to("cpu").layers) / largest


@pytest.mark.parametrize("mask", ["none", "holes", "padded"])
@pytest.mark.parametrize("rows", [True, False], ids=["row gates", "head gates"])
def test_the_chunked_scan_and_its_gradients_equal_the_formula(rows: bool, mask: str) -> None:
    arguments = [tensor.detach().cuda().requires_grad_() for tensor in random_scan(97, rows=rows)]
    chosen = masks(97)[mask]
    chosen = None if chosen is None else chosen.cuda()
    scans = [form(*arguments, mask=chosen) for form in (chunked_form, formula_form)]

    assert distance(*map(results, scans)) < 1e-10
    losses = [torch.stack([result.square().sum() for result in results(scan)]).sum() for scan in scans]
    assert distance(*(torch.autograd.grad(loss, arguments) for loss in losses)) < 1e-9


@pytest.mark.parametrize("granularity", ["token", "message_mean", "sentence_mean"])
def test_a_text_is_written_as_on_the_processor(tmp_path: Path, granularity: Any) -> None:
    reader = tiny_reader(replace(CONFIG, memory_write_granularity=granularity))
    expected = write_text(LONG, reader)

    written = write_text(LONG, on_card(reader, tmp_path))

    assert written.device.type == "cuda"
    assert share(expected, written) < 1e-4


def test_in_bfloat16_it_is_written_nearly_so(tmp_path: Path, reader: Reader) -> None:
    assert share(write_text(LONG, reader), write_text(LONG, on_card(reader, tmp_path, "bfloat16"))) < 0.1


def test_answers_are_those_of_the_processor(tmp_path: Path, reader: Reader) -> None:
    questions = [f"What is lot {number}?" for number in range(5)]

    def answers(reader: Reader) -> list[str]:
        state = write_text(LONG, reader)
        inquiries = [Inquiry(question, state, lambda: ()) for question in questions]
        return [
            found.answer.text
            for found in recall_all(inquiries, reader, settings=GenerationSettings(max_tokens=8))
        ]

    expected = answers(reader)

    assert answers(on_card(reader, tmp_path)) == expected
    assert any(expected)


def test_a_recorded_step_serves_other_questions_and_states(tmp_path: Path, reader: Reader) -> None:
    card, settings = on_card(reader, tmp_path), GenerationSettings(max_tokens=8)
    states = [write_text(text, card) for text in (LONG, FACTS)]

    def answers(state: MemoryState) -> list[list[int]]:
        return [card.generate(prompt, state, settings) for prompt in ([5, 6, 7], [9, 8, 7, 6])]

    recorded = [answers(state) for state in states]
    again = [answers(state) for state in states]

    assert again == recorded
    assert recorded[0] != recorded[1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_state_is_refined(tmp_path: Path, reader: Reader, dtype: str) -> None:
    reader = on_card(reader, tmp_path, dtype)
    nats: list[float] = []

    refined = refine(
        write_text(FACTS, reader),
        practices_of(FACTS, reader),
        reader,
        10,
        on_step=lambda _, now: nats.append(now),
    )

    assert refined.device.type == "cuda"
    assert nats[-1] < 0.8 * nats[0]


def test_what_a_card_saves_the_processor_opens(tmp_path: Path, reader: Reader) -> None:
    library = Library(tmp_path / "home")
    document = Document("lots", "/files/lots.txt", (LONG,))

    ingest(document, on_card(reader, tmp_path), library, refine_steps=2)

    saved, _ = library.get("lots").state()
    assert saved.device.type == "cpu"
    assert all(bool(layer.isfinite().all()) and bool(layer.any()) for layer in saved.layers)


def test_an_adapter_is_trained(tmp_path: Path, reader: Reader) -> None:
    model, _ = save_tiny_reader(reader, tmp_path / "tiny")
    config = tiny_config(tmp_path, steps=60)

    train(config, load_backbone(model, name="tiny", device="cuda", dtype="float32"), tmp_path / "out")

    steps = [
        json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text("utf-8").splitlines()
    ]
    assert steps[0]["answer"] > 4
    assert steps[-1]["answer"] < 1


@pytest.mark.skipif(importlib.util.find_spec("flash_attn") is None, reason="no flash-attn")
def test_flash_attention_writes_and_reads_as_sdpa_does(tmp_path: Path, reader: Reader) -> None:
    flash, sdpa = (
        on_card(reader, tmp_path / kernel, "bfloat16", kernel) for kernel in ("flash_attention_2", "sdpa")
    )

    written, expected = write_text(LONG, flash), write_text(LONG, sdpa)

    assert flash.backbone.attention == "flash_attention_2"
    assert share(expected, written) < 0.1
    assert refine(written, practices_of(LONG, flash), flash, 1).shape == written.shape
