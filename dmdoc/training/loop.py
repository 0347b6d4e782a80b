"""The training loop: seeded, resumable at every checkpoint, its metrics as JSON lines. Never prints."""

import json
import math
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from dmdoc.adapter import DeltaMemAdapter
from dmdoc.adapter_file import save_adapter
from dmdoc.attach import attention_sizes
from dmdoc.backbone import Backbone
from dmdoc.errors import TrainingError
from dmdoc.reader import Reader
from dmdoc.state_file import Identity
from dmdoc.training.config import TrainingConfig, config_as_dict
from dmdoc.training.examples import Example, draw_examples
from dmdoc.training.initial import start_as_copier
from dmdoc.training.loss import score_reads, write_batch
from dmdoc.training.measure import measure
from dmdoc.training.reads import build_batch, write_chunk

CHECKPOINT = "checkpoint.pt"
METRICS = "metrics.jsonl"
ADAPTER = "adapter"
SAMPLE_DOCUMENTS = 24
"""Documents that the start as a copier is fitted to."""

Progress = Callable[[int, int, dict[str, Any]], None]
"""Called after every step with (steps done, steps in all, its metrics)."""


def train(
    config: TrainingConfig, backbone: Backbone, output: Path, *, resume: bool = False, progress: Progress | None = None
) -> Path:
    """Train an adapter for `backbone`; returns the folder of the exported adapter.

    `output` gets `checkpoint.pt`, `metrics.jsonl` and, at the end, `adapter/`. Killed at any moment, a run resumes
    from its last checkpoint and goes on as it would have.

    Raises:
        TrainingError: `output` holds another run and `resume` is off; there is nothing to resume; the data is bad.
    """
    torch.manual_seed(config.seed)
    adapter = DeltaMemAdapter(config.adapter, attention_sizes(backbone.model)).to(backbone.device)
    reader = Reader(backbone, adapter, Identity(name="in training", sha256=""))
    optimiser = torch.optim.AdamW(
        adapter.parameters(), lr=config.optimiser.learning_rate, weight_decay=config.optimiser.weight_decay
    )
    checkpoint = output / CHECKPOINT
    if resume:
        start = _load_checkpoint(checkpoint, adapter, optimiser)
        _drop_metrics_after(output / METRICS, start)
    elif checkpoint.exists():
        raise TrainingError(f"{output} holds an earlier run; pass --resume to continue it or choose another folder")
    else:
        output.mkdir(parents=True, exist_ok=True)
        start = 0
        sample = [write_chunk(e.text, reader) for e in _examples(config, reader, 0, documents=SAMPLE_DOCUMENTS)]
        start_as_copier(adapter, reader, sample, config.seed)
    with (output / METRICS).open("a", encoding="utf-8") as log:
        for step in range(start, config.steps):
            metrics = _step(config, reader, optimiser, step)
            done = step + 1
            if done % config.measure_every == 0 or done == config.steps:
                metrics["eval"] = measure(config.stage_at(step), reader, config.seed)
            log.write(json.dumps(metrics) + "\n")
            log.flush()
            if done % config.checkpoint_every == 0 or done == config.steps:
                _save_checkpoint(checkpoint, config, adapter, optimiser, done)
            if progress is not None:
                progress(done, config.steps, metrics)
    save_adapter(adapter, output / ADAPTER, dtype=torch.bfloat16)
    return output / ADAPTER


def _step(config: TrainingConfig, reader: Reader, optimiser: torch.optim.Optimizer, step: int) -> dict[str, Any]:
    started = time.monotonic()
    stage = config.stage_at(step)
    rate = learning_rate(config, step)
    for group in optimiser.param_groups:
        group["lr"] = rate
    totals = {"answer": 0.0, "recitation": 0.0, "answer_exact": 0.0}
    for number in range(stage.batches):
        place = step * stage.batches + number
        batch = build_batch(_examples(config, reader, step, number), stage, reader, random.Random(f"{config.seed}/{place}"))
        scores = score_reads(batch, write_batch(batch, reader), reader)
        loss = scores.answer + config.optimiser.recitation_weight * scores.recitation
        (loss / stage.batches).backward()  # type: ignore[no-untyped-call]
        for name in totals:
            totals[name] += float(getattr(scores, name).detach()) / stage.batches
    norm = torch.nn.utils.clip_grad_norm_(reader.adapter.parameters(), config.optimiser.clip)
    if not torch.isfinite(norm):
        raise TrainingError(f"the gradient of step {step + 1} is not finite; lower the learning rate and --resume")
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    seconds = round(time.monotonic() - started, 2)
    rounded = {name: round(value, 4) for name, value in totals.items()}
    return {"step": step + 1, "rate": round(rate, 6), "norm": round(float(norm), 3), **rounded, "seconds": seconds}


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Linear warm-up, then half a cosine down to the final rate, for step number `step` (from 0)."""
    settings = config.optimiser
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    share = (step - settings.warmup) / max(1, config.steps - settings.warmup)
    height = settings.learning_rate - settings.final_learning_rate
    return settings.final_learning_rate + height * 0.5 * (1 + math.cos(math.pi * share))


def _examples(
    config: TrainingConfig, reader: Reader, step: int, number: int = 0, *, documents: int | None = None
) -> list[Example]:
    stage = config.stage_at(step)
    wanted = stage if documents is None else _with_documents(stage, documents)

    def fits(text: str) -> bool:
        return len(reader.encode(text)) <= stage.max_tokens

    return draw_examples(wanted, seed=config.seed, step=step * stage.batches + number, fits=fits)


def _with_documents(stage: Any, documents: int) -> Any:
    from dataclasses import replace

    return replace(stage, documents=documents)


def _save_checkpoint(
    path: Path, config: TrainingConfig, adapter: DeltaMemAdapter, optimiser: torch.optim.Optimizer, steps: int
) -> None:
    content = {
        "steps": steps,
        "adapter": adapter.state_dict(),
        "optimiser": optimiser.state_dict(),
        "config": json.dumps(config_as_dict(config)),
    }
    temporary = path.with_suffix(".tmp")
    torch.save(content, temporary)
    os.replace(temporary, path)


def _load_checkpoint(path: Path, adapter: DeltaMemAdapter, optimiser: torch.optim.Optimizer) -> int:
    if not path.is_file():
        raise TrainingError(f"nothing to resume: {path} does not exist")
    content = torch.load(path, map_location="cpu", weights_only=True)
    try:
        adapter.load_state_dict(content["adapter"])
    except RuntimeError as error:
        raise TrainingError(f"{path} was made with another adapter configuration; start a new run") from error
    optimiser.load_state_dict(content["optimiser"])
    return int(content["steps"])


def _drop_metrics_after(path: Path, step: int) -> None:
    """Forget what was logged after the checkpoint: those steps are about to be taken again."""
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
