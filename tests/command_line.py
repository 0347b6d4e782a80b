"""Commands in this process, with a tiny reader (conftest.py), and in a process of their own, with one from files."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from dmdoc import cli
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.model import reader as reader_module
from dmdoc.model.reader import Reader

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

Once = Callable[[Path, Callable[[Path], object]], None]
"""The fixture `once`: a folder and what fills it."""


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


def become(arguments: Sequence[str], folder: Path, reader: Reader) -> int:
    """In a process that was forked for it: run a command in a folder, with this reader; its exit code.

    Everything of dmdoc's own is in the folder; what the command tells is in its file `told`, and if it has a file
    `stdin`, that is standard input.
    """
    os.chdir(folder)
    told = os.open("told", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(told, 1)
    os.dup2(told, 2)
    if Path("stdin").exists():
        os.dup2(os.open("stdin", os.O_RDONLY), 0)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    for name in [name for name in os.environ if name.startswith("DMDOC_")]:
        del os.environ[name]
    for name in ("home", "cache", "config"):
        os.environ[f"DMDOC_{name.upper()}"] = str(folder / name)
    setattr(reader_module, "open_reader", lambda *_, **__: reader)  # noqa: B010
    sys.argv = ["dmdoc", *arguments]
    try:
        cli.main()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 0
    return 0


def told_of(folder: Path) -> str:
    """What a command that `become` ran told."""
    sys.stdout.flush()
    sys.stderr.flush()
    return (folder / "told").read_text(errors="replace")


def checked(command: str, line: str) -> dict[str, Any]:
    """The JSON object on a line of stdout, held against the schema of the command."""
    record: dict[str, Any] = json.loads(line)
    _validator(command).validate(record)
    return record


@cache
def _validator(command: str) -> Any:
    return jsonschema.Draft202012Validator({**OUTPUT, "$ref": f"#/$defs/{command}"})
