"""Commands in this process, with a tiny reader (conftest.py), and in a process of their own, with one from files."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from dmdoc.memory.adapter import DeltaMemConfig

CONFIG = DeltaMemConfig(write_layout="plain", write_budget=64)
TEXT = "Lot seven holds salt. Lot eight holds brine. " * 6

OUTPUT = json.loads(
    (Path(__file__).parent.parent / "docs" / "output.schema.json").read_text(encoding="utf-8")
)
"""JSON Schemas of what every command prints with --json."""


@dataclass(frozen=True)
class Run:
    """What a command left."""

    code: int
    out: str
    err: str


Invoke = Callable[..., Run]
"""The fixture `invoke`: arguments → Run."""


def start(*arguments: str, home: Path, models: tuple[Path, Path]) -> "subprocess.Popen[str]":
    """A real process with a tiny reader from the files of `save_tiny_reader`."""
    environment = {
        **os.environ,
        "DMDOC_HOME": str(home),
        "DMDOC_MODEL": str(models[0]),
        "DMDOC_ADAPTER": str(models[1]),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "dmdoc", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def checked(command: str, line: str) -> dict[str, Any]:
    """The JSON object on a line of stdout, held against the schema of the command."""
    record: dict[str, Any] = json.loads(line)
    _validator(command).validate(record)
    return record


@cache
def _validator(command: str) -> Any:
    return jsonschema.Draft202012Validator({**OUTPUT, "$ref": f"#/$defs/{command}"})
