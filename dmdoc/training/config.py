"""The configuration of a training run: one TOML file ⇄ frozen dataclasses, checked field by field."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from dmdoc.adapter import DeltaMemConfig
from dmdoc.adapter_file import parse_config
from dmdoc.errors import TrainingError


@dataclass(frozen=True)
class Stage:
    """A stretch of training on one kind of document. Stages follow one another: a curriculum."""

    steps: int
    """Optimiser steps."""
    data: str = "fictional"
    """"fictional" (generated), or the path of a JSON-lines file (.jsonl or .jsonl.gz)."""
    documents: int = 8
    """Documents a batch."""
    batches: int = 1
    """Batches whose gradients are added up for one step."""
    facts: tuple[int, int] = (4, 4)
    """Fewest and most facts of a generated document."""
    updates: float = 0.0
    """Share of generated facts that a later sentence changes."""
    distractors: float = 0.0
    """Generated sentences without a fact, for each fact."""
    questions: int = 4
    """Questions read a document."""
    recitations: int = 1
    """Dense reads a document: all of it, or from a place within."""
    max_tokens: int = 256
    """Longer documents of a file are passed over; recitations stop here."""

    def __post_init__(self) -> None:
        low, high = self.facts
        if min(self.steps, self.documents, self.batches, self.max_tokens) < 1 or not 1 <= low <= high:
            raise TrainingError(f"a training stage needs positive sizes and facts = [fewest, most], got {self}")
        if self.questions + self.recitations < 1:
            raise TrainingError("a training stage needs questions or recitations, got neither")


@dataclass(frozen=True)
class Optimiser:
    learning_rate: float = 2e-3
    final_learning_rate: float = 2e-4
    """Reached along a half cosine at the end of the last stage."""
    warmup: int = 30
    """Steps over which the rate rises from zero."""
    weight_decay: float = 0.0
    clip: float = 1.0
    """Gradients are scaled down to this norm."""
    recitation_weight: float = 1.0
    """Weight of the recitation loss beside the answer loss."""


@dataclass(frozen=True)
class TrainingConfig:
    """One run. `[model]` and `[run]` in the file hold the plain fields."""

    backbone: str
    adapter: DeltaMemConfig
    stages: tuple[Stage, ...]
    optimiser: Optimiser = field(default_factory=Optimiser)
    seed: int = 0
    checkpoint_every: int = 25
    """Steps between checkpoints."""
    measure_every: int = 50
    """Steps between measurements on documents that are never trained on."""

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> Stage:
        """The stage that step number `step` (from 0) belongs to."""
        for stage in self.stages:
            if step < stage.steps:
                return stage
            step -= stage.steps
        return self.stages[-1]


def read_training_config(path: Path) -> TrainingConfig:
    """Read a TOML file with [run], [adapter], [optimiser] and one [[stage]] or more.

    Raises:
        TrainingError: the file is missing, is not TOML, or a field is unknown, missing or of the wrong type.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainingError(f"no training configuration at {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} is not valid TOML: {error}") from error
    unknown = set(raw) - {"run", "adapter", "optimiser", "stage"}
    if unknown:
        raise TrainingError(f"{path}: unknown section {', '.join(sorted(unknown))}")
    stages = raw.get("stage", [])
    if not isinstance(stages, list) or not stages:
        raise TrainingError(f"{path}: needs at least one [[stage]]")
    run = dict(raw.get("run", {}))
    return _build(
        TrainingConfig,
        run
        | {
            "adapter": parse_config(raw.get("adapter", {})),
            "optimiser": _build(Optimiser, raw.get("optimiser", {}), f"{path} [optimiser]"),
            "stages": tuple(_build(Stage, stage, f"{path} [[stage]]") for stage in stages),
        },
        f"{path} [run]",
    )


def config_as_dict(config: TrainingConfig) -> dict[str, Any]:
    """Plain values, for checkpoints and cards."""
    return asdict(config)


_T = TypeVar("_T")


def _build(kind: type[_T], values: Mapping[str, Any], where: str) -> _T:
    known = {item.name: item.type for item in fields(kind)}  # type: ignore[arg-type]
    prepared: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise TrainingError(f"{where}: unknown field {key}; known are {', '.join(sorted(known))}")
        prepared[key] = _convert(value, known[key], f"{where}: {key}")
    try:
        return kind(**prepared)
    except TypeError as error:
        missing = [item.name for item in fields(kind) if item.name not in prepared]  # type: ignore[arg-type]
        raise TrainingError(f"{where}: missing one of {', '.join(missing)}") from error


def _convert(value: Any, kind: Any, where: str) -> Any:
    if kind == tuple[int, int]:
        if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(item, int) for item in value):
            return tuple(value)
        raise TrainingError(f"{where} must be two integers, got {value!r}")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (int, float, str) and (not isinstance(value, kind) or isinstance(value, bool)):
        raise TrainingError(f"{where} must be {kind.__name__}, got {value!r}")
    return value
