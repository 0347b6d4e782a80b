"""A training run that takes a second: two documents that differ in their code alone, and a tiny model."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tiny import tiny_reader

from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.model.backbone import Backbone
from dmdoc.training.config import Dataset, Optimiser, Stage, TrainingConfig

ADAPTER = DeltaMemConfig(
    rank=4,
    alpha=16.0,
    num_state_heads=2,
    couple_lambda=False,
    rankwise_gates=False,
    beta_bias_init=0.0,
    corrects_while_writing=False,
    write_layout="plain",
    write_budget=512,
)


def write_lines(path: Path, *records: object) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


def record(text: str, *questions: tuple[str, str]) -> dict[str, Any]:
    """One line of a training file: one section with (question, answer) pairs."""
    qas = [{"question": question, "answers": [answer], "section": 0} for question, answer in questions]
    return {"sections": [text], "qas": qas}


def two_codes(folder: Path) -> Path:
    """Two documents that only their states can tell apart."""
    lines = (record(f"The code is {code}.", ("Code?", code)) for code in ("4711", "9023"))
    return write_lines(folder / "codes.jsonl", *lines)


def tiny_config(folder: Path, adapter: DeltaMemConfig = ADAPTER, **stage: Any) -> TrainingConfig:
    """Answers about the two codes; every field of the only stage can be given."""
    values: dict[str, Any] = {
        "steps": 8,
        "documents": 2,
        "facts": (1, 1),
        "questions": 1,
        "recitations": 0,
        "max_tokens": 64,
    }
    return TrainingConfig(
        backbone="tiny",
        adapter=adapter,
        stages=(Stage(**({"data": ("codes",)} | values | stage)),),
        datasets=(Dataset(name="codes", path=str(two_codes(folder)), licence="none", source="made up"),),
        optimiser=Optimiser(learning_rate=1e-2, warmup=2),
        checkpoint_every=3,
        measure_every=1000,
    )


def tiny_backbone(*, attention: str = "sdpa") -> Backbone:
    """A tiny random model whose head is large enough to prefer some tokens over others."""
    backbone = tiny_reader(ADAPTER, transformers=True).backbone
    with torch.no_grad():
        backbone.model.get_output_embeddings().weight.mul_(20)
    backbone.model.set_attn_implementation(attention)
    return replace(backbone, attention=attention)
