"""The script for a machine with a card: every step of it on tiny sizes, and in which order it takes them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from card import STEPS

SCRIPT = Path(__file__).with_name("card.sh")
RECORDS = 'name=$2; echo "$name" >>"$OUT/called"; [ "$name" != decode ] && echo "{}"'
"""Stands for Python: writes down the step, of which one fails."""


def card(out: Path, *steps: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    out.mkdir(exist_ok=True)
    return subprocess.run(
        ["bash", SCRIPT, *steps],
        env={**os.environ, "OUT": str(out), "DEVICE": "cpu", "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def marked(step: str) -> Any:
    """Those of many processes are for campaigns."""
    many = step in ("tests", "published", "command", "demo", "resume")
    return pytest.param(step, marks=pytest.mark.campaign if many else pytest.mark.slow)


@pytest.mark.parametrize("step", [marked(step) for step in STEPS])
def test_a_step_is_rehearsed(step: str, tmp_path: Path) -> None:
    run = card(tmp_path, step, PYTHON=sys.executable)

    assert run.returncode == 0, (run.stdout, (tmp_path / f"{step}.log").read_text())
    found = json.loads((tmp_path / f"{step}.json").read_text())
    assert found["step"] == step and len(found) > 3
    assert not found.get("failed"), found
    assert found.get("went on", True), found


def test_steps_are_taken_in_order_and_a_second_call_goes_on(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/usr/bin/env bash\n{RECORDS}\n")
    python.chmod(0o755)
    called = tmp_path / "called"

    first = card(tmp_path, PYTHON=str(python))
    assert (first.returncode, called.read_text().split()) == (1, list(STEPS))
    assert "decode failed" in first.stdout
    assert {path.stem for path in tmp_path.glob("*.json")} == set(STEPS) - {"decode"}

    called.unlink()
    again = card(tmp_path, PYTHON=str(python))
    assert (again.returncode, called.read_text().split()) == (1, ["decode"])


def test_without_time_it_says_where_it_stopped(tmp_path: Path) -> None:
    run = card(tmp_path, SECONDS_LEFT="0")

    assert (run.returncode, run.stdout) == (3, "no time left for tests; call again\n")
