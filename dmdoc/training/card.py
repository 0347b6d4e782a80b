"""The model card of a trained adapter: Markdown with the YAML front matter that model hubs read.

Says what the configuration and the log of a run say, and nothing that was not measured.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from dmdoc import __version__
from dmdoc.memory.adapter import DeltaMemAdapter
from dmdoc.training.config import FICTIONAL, ROSTERS, Dataset, Stage, TrainingConfig, config_as_toml
from dmdoc.training.measure import questions_measured

CARD = "README.md"

_GENERATED_LICENCE = "Apache-2.0"

_TEMPLATE = """\
---
base_model: {base_model}
library_name: dmdoc
license: {licence}
tags:
- delta-mem
- associative-memory
---

# δ-mem adapter for {backbone}

A document is read once into a state of {numbers:,} numbers ({layers} layers, {heads} heads of {rank} by
{rank}); questions are then answered from that state, {beside}. The backbone is frozen; the adapter
has {parameters:,} weights. Trained with dmdoc {version}.

## Data

{data}

## Training

{steps:,} steps, {seconds:,.0f} seconds on the machine that ran them: {documents:,} documents written, up to
{reads:,} questions and recitations read. {start} Save the configuration below as `adapter.toml`, then:

    dmdoc train adapter.toml --output trained

```toml
{configuration}```

## Figures

{figures}

## Limits

- It fits {backbone} and no other model, and it cannot be merged into one.
- Recall was looked at up to {evidenced_tokens:,} written tokens. A write holds at most {write_budget:,}; what
  is written later wears away what was written before.
- The figures are of generated documents. On other text recall may be worse: compare with `dmdoc compare`.
- Answers come from a lossy state: names and numbers can be wrong. Check them against the document.
"""

_BESIDE: dict[str | None, str] = {
    None: "without the text",
    "spans": "without the text; phrases of the text are chosen by weights of its own",
    "evidence": "with the text in the prompt by weights of its own",
}
_ROWS = (
    ("answer", "answer, nats a token"),
    ("answer_exact", "answers exact, teacher-forced (95 % interval)"),
    ("recitation", "recitation, nats a token"),
    ("recitation_right", "recited tokens right, teacher-forced"),
)


def model_card(config: TrainingConfig, adapter: DeltaMemAdapter, metrics: Sequence[Mapping[str, Any]]) -> str:
    """The text of the card. `metrics` are the log of the run, one mapping a step."""
    layers, heads, rank = adapter.state_shape
    free = all(dataset.licence == _GENERATED_LICENCE for dataset in config.datasets)
    return _TEMPLATE.format(
        base_model=json.dumps(config.backbone, ensure_ascii=False),
        licence=_GENERATED_LICENCE.lower() if free else "other",
        backbone=config.backbone,
        numbers=layers * heads * rank * rank,
        layers=layers,
        heads=heads,
        rank=rank,
        parameters=sum(parameter.numel() for parameter in adapter.parameters()),
        version=__version__,
        beside=_BESIDE[config.mode],
        data="\n".join([*map(_stage, config.stages), *map(_dataset, config.datasets)]),
        steps=len(metrics),
        seconds=sum(step["seconds"] for step in metrics),
        documents=sum(_documents(stage) for stage in config.stages),
        reads=sum(_documents(stage) * (stage.questions + stage.recitations) for stage in config.stages),
        start=f"Started from the weights of `{config.start}`." if config.start else "Started as a copier.",
        configuration=config_as_toml(config),
        figures=_figures(config, metrics),
        evidenced_tokens=config.adapter.evidenced_tokens,
        write_budget=config.adapter.write_budget,
    )


def _documents(stage: Stage) -> int:
    return stage.steps * stage.batches * stage.documents


def _stage(stage: Stage) -> str:
    generated = f"generated documents of {stage.facts[0]} to {stage.facts[1]} facts"
    if stage.borrowed:
        generated += f" ({stage.borrowed:.0%} of their values borrowed from real answers)"
    kinds = [
        {FICTIONAL: generated, ROSTERS: f"rosters of {stage.facts[0]} to {stage.facts[1]} facts"}.get(
            name, f"{name} (texts to {stage.max_tokens} tokens)"
        )
        for name in stage.data
    ]
    return f"- {stage.steps} steps: {', '.join(kinds)}"


def _dataset(dataset: Dataset) -> str:
    return f"- {dataset.name}: {dataset.source}; licence: {dataset.licence}"


def _figures(config: TrainingConfig, metrics: Sequence[Mapping[str, Any]]) -> str:
    measured = [step for step in metrics if "eval" in step]
    if not measured:
        return "Not measured."
    last = measured[-1]
    own, donor = last["eval"]["own"], last["eval"]["donor"]
    questions = questions_measured(config.stage_at(last["step"] - 1), config.seed)
    rows = [
        f"| {name} | {_cell(own, key, questions)} | {_cell(donor, key, questions)} |"
        for key, name in _ROWS
        if config.mode is None or not key.startswith("recitation")
    ]
    return "\n".join(
        [
            f"After step {last['step']}, on {questions} questions about generated documents whose names and wordings "
            "training never saw. What the state of another document achieves was not recalled from the document.",
            "",
            "| | own state | another document's state |",
            "|---|---|---|",
            *rows,
        ]
    )


def _cell(scores: Mapping[str, float], key: str, questions: int) -> str:
    if key != "answer_exact":
        return f"{scores[key]:.3f}"
    low, high = _interval(scores[key], questions)
    return f"{scores[key]:.3f} ({low:.2f} to {high:.2f})"


def _interval(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `count` independent answers; also right near 0 and 1."""
    z = 1.96
    middle = share + z * z / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # Rounding may leave a hair below 0 or above 1.
    low, high = (middle - reach) / (1 + z * z / count), (middle + reach) / (1 + z * z / count)
    return max(0.0, low), min(1.0, high)
