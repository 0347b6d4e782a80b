"""The training loop: seeded, resumable at every checkpoint, its metrics as JSON lines. Never prints."""

import json
import math
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from dmdoc.errors import TrainingError
from dmdoc.memory.adapter import DeltaMemAdapter
from dmdoc.memory.adapter_config import CONFIG_FILE
from dmdoc.memory.adapter_file import OUR_WEIGHTS, PUBLIC_WEIGHTS, load_adapter, save_adapter
from dmdoc.memory.attach import attention_inputs, attention_sizes
from dmdoc.memory.judges import read_judges, write_judges
from dmdoc.memory.reading_file import READING_WEIGHTS, load_reading, save_reading
from dmdoc.memory.state_header import Identity
from dmdoc.model.backbone import Backbone
from dmdoc.model.pointer import POINTER
from dmdoc.model.reader import Reader
from dmdoc.progress import Counted, Report
from dmdoc.training.addresses import fit_addresses
from dmdoc.training.card import CARD, model_card
from dmdoc.training.checkpoint import keep_metrics, load_checkpoint, read_metrics, save_checkpoint
from dmdoc.training.config import READING, ROSTERS, TrainingConfig
from dmdoc.training.curriculum import Curriculum
from dmdoc.training.initial import start_as_copier, start_from_adapter
from dmdoc.training.location import location_loss
from dmdoc.training.loss import score_reads, write_batch
from dmdoc.training.measure import measure
from dmdoc.training.plot import PLOT, plot_run
from dmdoc.training.processes import Processes
from dmdoc.training.reads import AS_IT_IS, Asking, Batch

CHECKPOINT = "checkpoint.pt"
METRICS = "metrics.jsonl"
ADAPTER = "adapter"
SAMPLE_DOCUMENTS = 48
"""Documents that the start as a copier is fitted to."""

ADDRESS_BATCHES = 200
"""Batches of the first stage that traced keys are fitted to."""

UNSEEN = 1_000_000
"""A batch of a step has a smaller number."""

_LOGGED = ("answer", "recitation", "answer_exact", "choice", "choice_right", "location")


def train(
    config: TrainingConfig,
    backbone: Backbone,
    output: Path,
    *,
    asking: Asking = AS_IT_IS,
    start: Path | None = None,
    resume: bool = False,
    progress: Report | None = None,
) -> Path:
    """Train an adapter for `backbone`; returns the folder of the exported adapter.

    `output` gets `checkpoint.pt`, `metrics.jsonl` and, at the end, `metrics.svg` and `adapter/` with its model
    card. Killed at any moment, a run resumes from its last checkpoint and goes on as it would have. A run that
    has all its steps is only exported again. Where several processes share the run, all see the same `output`
    and the main one alone writes there and reports progress.

    Args:
        asking: how `ask` goes about a question, where a stage is to do as it does.
        start: the folder of the adapter that `config.start` names; to resume it is needed where reading alone is
            learned.

    Raises:
        AdapterError: `start` holds no adapter, or one for another backbone.
        TrainingError: `output` holds another run and `resume` is off; there is nothing to resume; the adapter to
            start from has another shape; the data is bad; a gradient is not finite; the backbone's attention
            kernel takes no masks.
        BackboneError: the backbone has no separate projections.
    """
    needed = bool(config.start) and (not resume or config.learns == READING)
    assert not needed or start is not None, "config.start names what `start` holds"
    _check(backbone, output, resume)
    processes = Processes.join(backbone.device)
    torch.manual_seed(config.seed)
    adapter = _untrained(config, backbone, start)
    reader = Reader(backbone, adapter, Identity(name="in training", sha256=""))
    optimiser = torch.optim.AdamW(adapter.parameters())
    done = load_checkpoint(output / CHECKPOINT, config, adapter, optimiser) if resume else 0
    curriculum = Curriculum(config, reader, asking)
    if not resume:
        _start(config, adapter, reader, curriculum, start, progress if processes.main else None)
    processes.copy_from_main([parameter.data for parameter in adapter.parameters()])
    if processes.main:
        keep_metrics(output / METRICS, done)
    with (output / METRICS).open("a", encoding="utf-8") as log:
        while done < config.steps:
            metrics = _take_step(config, curriculum, reader, optimiser, processes, done)
            done += 1
            if not processes.main:
                continue
            if done % config.measure_every == 0 or done == config.steps:
                stage = config.stage_at(done - 1)
                metrics["eval"] = measure(stage, reader, config.seed, asking=asking)
                if ROSTERS in stage.data:
                    metrics["eval_rosters"] = measure(stage, reader, config.seed, ROSTERS, asking=asking)
            log.write(json.dumps(metrics) + "\n")
            log.flush()
            if done % config.checkpoint_every == 0 or done == config.steps:
                save_checkpoint(output / CHECKPOINT, config, adapter, optimiser, done)
            if progress is not None:
                progress(Counted(done, config.steps, "steps", _losses(metrics)))
    if processes.main:
        _export(config, reader, output, start)
    return output / ADAPTER


def _untrained(config: TrainingConfig, backbone: Backbone, start: Path | None) -> DeltaMemAdapter:
    """An adapter that has not started; where reading alone is learned, it names the one that writes as it does."""
    sizes, shape = attention_sizes(backbone.model), config.adapter
    if config.learns != READING or start is None:
        return DeltaMemAdapter(shape, sizes).to(backbone.device)
    _, writer = load_adapter(start, name=config.start, sizes=sizes)
    shape = replace(shape, reads_states_of=(writer.sha256, *writer.older))
    adapter = DeltaMemAdapter(shape, sizes).to(backbone.device)
    adapter.learn_reading_alone()
    return adapter


def _start(
    config: TrainingConfig,
    adapter: DeltaMemAdapter,
    reader: Reader,
    curriculum: Curriculum,
    folder: Path | None,
    progress: Report | None,
) -> None:
    """Set the first weights, those of the adapter in `folder` where one is given."""
    traced = False
    if folder is not None:
        traced = start_from_adapter(adapter, reader, folder)
        if config.mode and (own := folder / READING_WEIGHTS[config.mode]).is_file():
            adapter.load_state_dict(load_reading(own, adapter).state_dict())
    else:
        start_as_copier(adapter, reader, curriculum.sample(SAMPLE_DOCUMENTS), config.seed)
    if config.adapter.traces_keys and not traced:
        # Batches that no step will see.
        batches = [curriculum.batch(0, UNSEEN + number) for number in range(ADDRESS_BATCHES)]
        fit_addresses(adapter, reader, batches, config.seed, progress)


def _losses(metrics: dict[str, Any]) -> str:
    return f"answer {metrics['answer']:.2f}, recitation {metrics['recitation']:.2f} nats a token"


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Linear warm-up, then half a cosine down to the final rate, for step number `step` (from 0)."""
    settings = config.optimiser
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    share = (step - settings.warmup) / max(1, config.steps - settings.warmup)
    height = settings.learning_rate - settings.final_learning_rate
    return settings.final_learning_rate + height * 0.5 * (1 + math.cos(math.pi * share))


def _check(backbone: Backbone, output: Path, resume: bool) -> None:
    if backbone.attention == "flash_attention_2":
        raise TrainingError(
            "flash_attention_2 takes no mask of its own for packed reads; load the backbone with sdpa"
        )
    if not resume and (output / CHECKPOINT).exists():
        raise TrainingError(f"{output} holds an earlier run; resume it, or give another folder")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"cannot make the folder {output}: {error.strerror}") from error


def _take_step(
    config: TrainingConfig,
    curriculum: Curriculum,
    reader: Reader,
    optimiser: torch.optim.Optimizer,
    processes: Processes,
    step: int,
) -> dict[str, Any]:
    """Step number `step` (from 0): all its batches, in all processes, one update; returns what is logged of it."""
    started = time.monotonic()
    rate = learning_rate(config, step)
    for group in optimiser.param_groups:
        group.update(lr=rate, weight_decay=config.optimiser.weight_decay)
    stage = config.stage_at(step)
    batches = stage.batches
    totals = {name: torch.zeros((), device=reader.backbone.device) for name in _LOGGED}
    for number in range(batches):
        batch = curriculum.batch(step, processes.rank * batches + number)
        losses = _losses_of(batch, reader, stage.refine_steps, located=config.optimiser.location_weight > 0)
        weights = config.optimiser
        loss = (
            losses["answer"]
            + weights.recitation_weight * losses["recitation"]
            + weights.choice_weight * losses["choice"]
            + weights.location_weight * losses["location"]
        )
        torch.autograd.backward(loss / batches)
        for name in totals:
            totals[name] += losses[name].detach() / batches
    gradients = [parameter.grad for parameter in reader.adapter.parameters() if parameter.grad is not None]
    processes.average([*gradients, *totals.values()])
    norm = float(torch.nn.utils.clip_grad_norm_(reader.adapter.parameters(), config.optimiser.clip))
    if not math.isfinite(norm):
        raise TrainingError(
            f"the gradient of step {step + 1} is not finite; lower learning_rate and resume the run"
        )
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return {
        "step": step + 1,
        "rate": round(rate, 6),
        "norm": round(norm, 3),
        **{name: round(float(value), 4) for name, value in totals.items()},
        "seconds": round(time.monotonic() - started, 2),
    }


def _losses_of(batch: Batch, reader: Reader, refine_steps: int, *, located: bool) -> dict[str, Tensor]:
    """What a batch is worth, by the names of ReadScores, and `location`: 0 where it is not asked for."""
    if not located:
        scores = score_reads(batch, write_batch(batch, reader, refine_steps), reader)
        return {**vars(scores), "location": torch.zeros((), device=reader.backbone.device)}
    model, layers = reader.backbone.model, reader.adapter.layer_indices
    with attention_inputs(model, layers) as written:
        state = write_batch(batch, reader, refine_steps)
    with attention_inputs(model, layers) as asked:
        scores = score_reads(batch, state, reader)
    return {**vars(scores), "location": location_loss(batch, written, asked, reader)}


def _export(config: TrainingConfig, reader: Reader, output: Path, start: Path | None) -> None:
    metrics = read_metrics(output / METRICS)
    if config.mode and start is not None:
        _export_beside(start, reader, output / ADAPTER, config.mode)
    else:
        _export_weights(reader.adapter, output / ADAPTER)
    card = model_card(config, reader.adapter, metrics)
    (output / ADAPTER / CARD).write_text(card, encoding="utf-8")
    (output / PLOT).write_text(plot_run(metrics), encoding="utf-8")


def _export_beside(start: Path, reader: Reader, folder: Path, mode: Literal["spans", "evidence"]) -> None:
    """The adapter in `start` as it is, and beside it what was learned for one recall mode."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (CONFIG_FILE, OUR_WEIGHTS, PUBLIC_WEIGHTS, POINTER, *READING_WEIGHTS.values()):
        if (start / name).is_file():
            shutil.copyfile(start / name, folder / name)
    # Answers of this mode will be others: nobody has measured them yet.
    write_judges(folder, {other: judge for other, judge in read_judges(start).items() if other != mode})
    own, _ = load_adapter(folder, name=str(start), sizes=attention_sizes(reader.backbone.model))
    save_reading(reader.adapter, own, folder / READING_WEIGHTS[mode])


def _export_weights(adapter: DeltaMemAdapter, folder: Path) -> None:
    # What was not to be learned must not be rounded either.
    kept = [parameter for parameter in adapter.parameters() if not parameter.requires_grad]
    rounds = any(not torch.equal(parameter, parameter.bfloat16().float()) for parameter in kept)
    save_adapter(adapter, folder, dtype=torch.float32 if rounds else torch.bfloat16)
