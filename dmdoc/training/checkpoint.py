"""What a killed run continues from: a checkpoint, and a log of metrics that agrees with it.

The backbone is frozen and batches depend on the step number alone, so weights, optimiser and step are
everything.
"""

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from dmdoc.atomic_file import write_atomically
from dmdoc.errors import TrainingError
from dmdoc.memory.adapter import DeltaMemAdapter
from dmdoc.training.config import TrainingConfig, config_as_dict

_NOT_IN_WEIGHTS = {"write_budget", "evidenced_tokens", "reads_states_of"}
"""Fields of an adapter's configuration that may change between two parts of a run."""


def save_checkpoint(
    path: Path, config: TrainingConfig, adapter: DeltaMemAdapter, optimiser: torch.optim.Optimizer, steps: int
) -> None:
    """Replace the checkpoint in one go: a kill leaves the old one or the new one."""
    buffer = io.BytesIO()
    content = {
        "steps": steps,
        "adapter": adapter.state_dict(),
        "optimiser": optimiser.state_dict(),
        "config": json.dumps(config_as_dict(config)),
    }
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())


def load_checkpoint(
    path: Path, config: TrainingConfig, adapter: DeltaMemAdapter, optimiser: torch.optim.Optimizer
) -> int:
    """Fill `adapter` and `optimiser`; returns the steps that were done.

    Stages and optimiser settings may have changed since: they count from here on.

    Raises:
        TrainingError: there is no checkpoint, it is damaged, or it is of another backbone or adapter.
    """
    if not path.is_file():
        raise TrainingError(f"nothing to resume: there is no {path}; start a new run")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        steps, saved = int(content["steps"]), json.loads(content["config"])
    except (pickle.UnpicklingError, RuntimeError, EOFError, zipfile.BadZipFile, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is damaged or not a checkpoint; start a new run") from error
    # Through JSON, as the saved one went: there a tuple is a list.
    asked = json.loads(json.dumps(config_as_dict(config)))
    differing = [f"adapter.{key}" for key in asked["adapter"] if _differs(asked, saved, key)]
    if asked["backbone"] != saved["backbone"]:
        differing.append("backbone")
    if differing:
        raise TrainingError(
            f"{path} was made with another {', '.join(differing)}; give that configuration or start a new run"
        )
    try:
        adapter.load_state_dict(content["adapter"])
        optimiser.load_state_dict(content["optimiser"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise TrainingError(f"{path} does not fit this backbone; start a new run") from error
    return steps


def _differs(asked: dict[str, Any], saved: dict[str, Any], key: str) -> bool:
    return key not in _NOT_IN_WEIGHTS and asked["adapter"][key] != saved["adapter"].get(key)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The metrics of every logged step; a last line that a kill cut short is left out.

    Raises:
        TrainingError: another line is not JSON.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    metrics = []
    for number, line in enumerate(lines, start=1):
        try:
            metrics.append(json.loads(line))
        except ValueError as error:
            if number < len(lines):
                raise TrainingError(f"{path} line {number} is not JSON: {error}") from error
    return metrics


def keep_metrics(path: Path, steps: int) -> None:
    """Forget what was logged after `steps` steps: what comes after them is about to be done again."""
    kept = [json.dumps(metrics) for metrics in read_metrics(path) if metrics["step"] <= steps]
    write_atomically(path, "".join(f"{line}\n" for line in kept).encode())
