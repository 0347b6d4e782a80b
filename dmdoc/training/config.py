"""The configuration of a training run: one TOML file ⇄ frozen dataclasses, checked field by field.

Knows nothing about models or data beyond their names.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from dmdoc.errors import AdapterError, TrainingError
from dmdoc.fictional import FEWEST_ROSTER_FACTS, MOST_ROSTER_FACTS
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.adapter_config import OUR_FIELDS, parse_config

FICTIONAL = "fictional"
"""The name of the generated documents."""

ROSTERS = "rosters"
"""The name of generated rosters of every family."""

GENERATED = (FICTIONAL, ROSTERS)

EVERYTHING, READING = "everything", "reading"
"""What a run can learn."""

_SECTIONS = {"run", "adapter", "optimiser", "dataset", "stage"}


@dataclass(frozen=True)
class Stage:
    """A stretch of training on one mixture of documents. Stages follow one another: a curriculum."""

    steps: int
    """Optimiser steps."""
    data: tuple[str, ...] = (FICTIONAL,)
    """"fictional" or "rosters" (both generated), or names of datasets; the batches of all steps take them in turn."""
    documents: int = 8
    """Documents a batch."""
    batches: int = 1
    """Batches whose gradients are averaged for one step."""
    facts: tuple[int, int] = (4, 4)
    """Fewest and most facts of a generated document."""
    updates: float = 0.0
    """Share of generated facts that a later sentence changes."""
    distractors: float = 0.0
    """Generated sentences without a fact, for each fact."""
    borrowed: float = 0.0
    """Share of generated facts whose value is an answer from the stage's datasets, not a word of the generator's."""
    questions: int = 4
    """Questions read a document."""
    rivals: int = 0
    """Other phrases of the text that each answer is told apart from."""
    weighed: bool = False
    """The rivals are those that `ask` would choose among, most of them the hardest by their words, and what the words
    of each weigh counts beside its likelihood, as in `ask`. Questions whose answer could not be chosen are left out."""
    left_open: float = 0.0
    """Share of the weighed questions of a file that the text does not answer, where some are known or a sentence can be
    taken out of it: then none of its phrases is right, and all are to weigh less than no answer does."""
    shown: float = 0.0
    """Share of batches that read questions with the text in the prompt, beside the state, and recite nothing."""
    recitations: int = 1
    """Dense reads a document: from its beginning, or from a place within."""
    refine_steps: int = 0
    """Refinement steps (refine.py) that a state takes before it is read; the write learns as if there were none."""
    max_tokens: int = 256
    """Longer documents of a file are passed over."""

    def __post_init__(self) -> None:
        for name in ("steps", "documents", "batches", "max_tokens"):
            _at_least(name, getattr(self, name), 1)
        for name in (
            "updates",
            "distractors",
            "borrowed",
            "questions",
            "left_open",
            "shown",
            "rivals",
            "recitations",
            "refine_steps",
        ):
            _at_least(name, getattr(self, name), 0)
        if (
            ROSTERS in self.data
            and not FEWEST_ROSTER_FACTS <= self.facts[0] <= self.facts[1] <= MOST_ROSTER_FACTS
        ):
            raise TrainingError(
                f"rosters have {FEWEST_ROSTER_FACTS} to {MOST_ROSTER_FACTS} facts, got facts {list(self.facts)}"
            )
        if not self.data or (self.batches % len(self.data) and len(self.data) % self.batches):
            raise TrainingError(
                f"batches must be a multiple or a divisor of the {len(self.data)} data of the stage, so that each "
                f"has its share of them, got {self.batches}"
            )
        for name in ("updates", "borrowed", "left_open", "shown"):
            if getattr(self, name) > 1:
                raise TrainingError(f"{name} must be at most 1, got {getattr(self, name)}")
        generated = set(self.data) & set(GENERATED)
        if self.borrowed and not (generated and set(self.data) - generated):
            raise TrainingError(
                f"borrowed takes values from answers of datasets: name {' or '.join(GENERATED)} and one of them in data"
            )
        low, high = self.facts
        if not 1 <= low <= high:
            raise TrainingError(f"facts must be [fewest, most] with fewest from 1, got {list(self.facts)}")
        self._check_weighing()
        if self.questions + self.recitations < 1:
            raise TrainingError("questions and recitations are both 0, so there is nothing to learn from")

    def _check_weighing(self) -> None:
        if self.weighed and (not self.questions or not self.rivals or self.shown):
            raise TrainingError(
                "weighed phrases are rivals of an answer, read without the text: set questions and rivals, and leave "
                "shown out; or leave weighed out"
            )
        if self.left_open and not self.weighed:
            raise TrainingError(
                "left_open is a share of weighed questions: set weighed, or leave left_open out"
            )


@dataclass(frozen=True)
class Dataset:
    """A JSON-lines file of documents with questions (examples.py) and what its makers ask for."""

    name: str
    """What stages call it."""
    path: str
    """A .jsonl or .jsonl.gz file, from the working folder."""
    licence: str
    """What it may be used under, for the model card."""
    source: str
    """Who made it and where it is to be had, for the model card."""

    def __post_init__(self) -> None:
        if self.name in GENERATED:
            raise TrainingError(f"{self.name} names generated documents; give the dataset another name")


@dataclass(frozen=True)
class Optimiser:
    """AdamW and its schedule."""

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
    choice_weight: float = 1.0
    """Weight of the loss of choosing the answer among its rivals beside the answer loss."""
    location_weight: float = 0.0
    """Weight of the loss of finding the place of an answer (location.py); for adapters that trace their keys."""

    def __post_init__(self) -> None:
        for name in ("learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise TrainingError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in (
            "final_learning_rate",
            "warmup",
            "weight_decay",
            "recitation_weight",
            "choice_weight",
            "location_weight",
        ):
            _at_least(name, getattr(self, name), 0)


@dataclass(frozen=True)
class TrainingConfig:
    """One run. `[run]` in the file holds the plain fields."""

    backbone: str
    """A known name, a folder, or ORG/NAME of the Hub."""
    adapter: DeltaMemConfig
    stages: tuple[Stage, ...]
    datasets: tuple[Dataset, ...] = ()
    optimiser: Optimiser = field(default_factory=Optimiser)
    start: str = ""
    """An adapter whose weights the run starts from: a known name, a folder, or ORG/NAME of the Hub. Without one it
    starts as a copier."""
    learns: str = EVERYTHING
    """Or "reading": queries and corrections alone. Keys, values and gates stay as they start, and with them all states
    that were written before."""
    seed: int = 0
    checkpoint_every: int = 25
    """Steps between checkpoints."""
    measure_every: int = 50
    """Steps between measurements on documents that are never trained on."""

    def __post_init__(self) -> None:
        _at_least("checkpoint_every", self.checkpoint_every, 1)
        _at_least("measure_every", self.measure_every, 1)
        if not self.stages:
            raise TrainingError("there is no stage, so there is nothing to train on")
        if self.learns not in (EVERYTHING, READING):
            raise TrainingError(f"learns must be {EVERYTHING} or {READING}, got {self.learns!r}")
        if self.learns == READING and (not self.start or self.adapter.corrects_while_writing):
            raise TrainingError(
                "only reading is learned from the start of an adapter that corrects nothing while it writes; "
                f"give start and corrects_while_writing = false, or learn {EVERYTHING}"
            )
        if self.optimiser.location_weight and not self.adapter.traces_keys:
            raise TrainingError(
                "location_weight is for adapters that trace their keys; set traces_keys, or leave it out"
            )
        known = {*GENERATED, *(dataset.name for dataset in self.datasets)}
        for name in (name for stage in self.stages for name in stage.data):
            if name not in known:
                raise TrainingError(f"no dataset is named {name}; known are {', '.join(sorted(known))}")
        longest = max(stage.max_tokens for stage in self.stages)
        if longest > self.adapter.write_budget:
            raise TrainingError(f"max_tokens {longest} exceeds the write_budget {self.adapter.write_budget}")

    @property
    def mode(self) -> Literal["spans", "evidence"] | None:
        """The recall mode that what is learned is for alone: `evidence` where the text always stands in the prompt,
        `spans` where phrases are always weighed; None where it is for all of them.
        """
        if self.learns != READING:
            return None
        if all(stage.shown == 1 for stage in self.stages):
            return "evidence"
        return "spans" if all(stage.weighed for stage in self.stages) else None

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> Stage:
        """The stage that step number `step` (from 0) belongs to; the last one for every step beyond it."""
        for stage in self.stages:
            if step < stage.steps:
                return stage
            step -= stage.steps
        return self.stages[-1]


def read_training_config(path: Path) -> TrainingConfig:
    """Read a TOML file with [run], [adapter], [optimiser], any [[dataset]] and one [[stage]] or more.

    Raises:
        TrainingError: the file is missing, is not TOML, or a field is unknown, missing or wrong.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainingError(f"no training configuration at {path}") from error
    except OSError as error:
        raise TrainingError(f"cannot read the training configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} is not valid TOML: {error}") from error
    unknown = sorted(set(raw) - _SECTIONS)
    if unknown:
        raise TrainingError(
            f"{path}: unknown section {', '.join(unknown)}; known are {', '.join(sorted(_SECTIONS))}"
        )
    sections = {
        "adapter": _adapter(raw.get("adapter", {}), f"{path} [adapter]"),
        "optimiser": _build(Optimiser, raw.get("optimiser", {}), f"{path} [optimiser]"),
        "datasets": _build_all(Dataset, raw.get("dataset", []), f"{path} [[dataset]]"),
        "stages": _build_all(Stage, raw.get("stage", []), f"{path} [[stage]]"),
    }
    return _build(TrainingConfig, raw.get("run", {}), f"{path} [run]", sections)


def config_as_dict(config: TrainingConfig) -> dict[str, Any]:
    """Plain values, for checkpoints."""
    return asdict(config)


def config_as_toml(config: TrainingConfig) -> str:
    """The file that `read_training_config` turns into `config`, every field written out."""
    run = asdict(config)
    adapter, optimiser = run.pop("adapter"), run.pop("optimiser")
    datasets, stages = run.pop("datasets"), run.pop("stages")
    ours = {name: adapter.pop(name) for name in OUR_FIELDS}
    blocks = [_block("[run]", run), _block("[adapter]", adapter), _block("[adapter.dmdoc]", ours)]
    blocks += [_block("[optimiser]", optimiser), *(_block("[[dataset]]", dataset) for dataset in datasets)]
    blocks += [_block("[[stage]]", stage) for stage in stages]
    return "\n".join(blocks)


def _block(heading: str, values: Mapping[str, Any]) -> str:
    # What JSON writes of strings, numbers, booleans and lists of them, TOML reads.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items()]
    return "".join([f"{heading}\n", *lines])


def _at_least(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise TrainingError(f"{name} must be at least {least}, got {value}")


_T = TypeVar("_T", Stage, Dataset, Optimiser, TrainingConfig)


def _build_all(kind: type[_T], tables: object, where: str) -> tuple[_T, ...]:
    if not isinstance(tables, list):
        raise TrainingError(f"{where} must be an array of tables, got {tables!r}")
    return tuple(_build(kind, table, f"{where} {number}") for number, table in enumerate(tables, start=1))


def _build(kind: type[_T], values: object, where: str, sections: Mapping[str, Any] | None = None) -> _T:
    """`kind` from the plain fields of one section of the file, and `sections` that are built already."""
    built = dict(sections or {})
    known = {item.name: item.type for item in fields(kind) if item.name not in built}
    table = _table(values, where)
    for key, value in table.items():
        if key not in known:
            raise TrainingError(f"{where}: unknown field {key}; known are {', '.join(sorted(known))}")
        built[key] = _convert(value, known[key], f"{where}: {key}")
    for item in fields(kind):
        if item.name not in built and item.default is MISSING and item.default_factory is MISSING:
            raise TrainingError(f"{where}: the field {item.name} is missing")
    try:
        return kind(**built)
    except TrainingError as error:
        raise TrainingError(f"{where}: {error}") from error


def _adapter(values: object, where: str) -> DeltaMemConfig:
    table = _table(values, where)
    _table(table.get("dmdoc", {}), f"{where}: dmdoc")
    try:
        return parse_config(table)
    except AdapterError as error:
        raise TrainingError(f"{where}: {error}") from error


def _table(values: object, where: str) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise TrainingError(f"{where} must be a table of fields, got {values!r}")
    return values


def _convert(value: Any, kind: Any, where: str) -> Any:
    """`value` if it is of the type of its field; integers pass as floats, lists as tuples, one name as a list."""
    if kind in (int, float, str, bool):
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            raise TrainingError(f"{where} must be {kind.__name__}, got {value!r}")
        return value
    if kind == tuple[str, ...]:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TrainingError(f"{where} must be a name or a list of names, got {value!r}")
        return tuple(names)
    if not isinstance(value, list) or [type(item) for item in value] != [int, int]:
        raise TrainingError(f"{where} must be two integers, got {value!r}")
    return tuple(value)
