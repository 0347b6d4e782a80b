"""The steps of `tests/card.sh` that run the command itself, each invocation a process of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from released import NAME, QWEN3_4B, TINY, release
from sample_pdf import write_pdf
from tiny import save_tiny_reader, tiny_reader

from dmdoc.memory.adapter import DeltaMemConfig

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "dmdoc" / "samples"
NOTE = str(SAMPLES / "sorrel-note.txt")
DMDOC = (sys.executable, "-m", "dmdoc")


class Commands:
    """Runs commands in one folder and keeps of each how it ended, how long it took and what it said last."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ, "DMDOC_DEVICE": device, "DMDOC_HOME": str(folder / "home"),
            "DMDOC_CONFIG": str(folder / "config"),
        }  # fmt: skip
        self.samples = SAMPLES
        self.found: dict[str, Any] = {}

    def run(self, name: str, *command: str, piped: str = "") -> str:
        """What the command printed. Args: piped: standard input."""
        started = time.perf_counter()
        done = subprocess.run(
            command, env=self.environment, cwd=ROOT, input=piped, capture_output=True, text=True, check=False
        )
        took = round(time.perf_counter() - started, 1)
        said = {"out": done.stdout[-300:], "err": done.stderr[-300:]}
        self.found[name] = {"exit": done.returncode, "seconds": took, **said}
        return done.stdout

    def dmdoc(self, name: str, *arguments: str, piped: str = "") -> str:
        return self.run(name, *DMDOC, *arguments, piped=piped)

    @property
    def result(self) -> dict[str, Any]:
        return {**self.found, "failed": [name for name, each in self.found.items() if each["exit"] != 0]}


@contextmanager
def commands(device: str) -> Iterator[Commands]:
    """With the small model and the samples; in a rehearsal with a tiny one and the beginning of the samples."""
    with TemporaryDirectory() as folder:
        made = Commands(Path(folder), device)
        if device == "cpu":
            config = DeltaMemConfig(write_layout="plain", write_budget=1024)
            model, adapter = save_tiny_reader(tiny_reader(config), made.folder)
            made.environment |= {"DMDOC_MODEL": str(model), "DMDOC_ADAPTER": str(adapter)}
            made.samples = small_samples(made.folder / "samples")
        yield made


def small_samples(folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(NOTE, folder)
    text = (SAMPLES / "halvorsen-report.txt").read_text(encoding="utf-8")
    write_pdf(folder / "halvorsen-report.pdf", [text[:600]])
    questions = (SAMPLES / "halvorsen-questions.jsonl").read_text(encoding="utf-8").splitlines()
    (folder / "halvorsen-questions.jsonl").write_text(questions[0] + "\n", encoding="utf-8")
    return folder


def large_text(folder: Path, device: str) -> Path:
    """1 MB of sentences, or a little in a rehearsal."""
    path, sentence = (
        folder / "large.txt",
        "The {} boat of the harbour was built in {} by the yard of Osk {}. ",
    )
    lines = (sentence.format(number, 1700 + number % 300, number) for number in range(16_000))
    path.write_text("".join(lines)[: 1_000_000 if device != "cpu" else 40_000], encoding="utf-8")
    return path


def published(device: str) -> dict[str, Any]:
    """The released pair, with random weights, through the Hub's own client from its own cache."""
    with TemporaryDirectory() as folder:
        made = Commands(Path(folder), device)
        made.environment |= {"HF_HOME": folder, "DMDOC_OFFLINE": "1", "DMDOC_CACHE": f"{folder}/cache"}
        started = time.perf_counter()
        release(made.folder, QWEN3_4B if device != "cpu" else TINY, device)
        wrote = round(time.perf_counter() - started, 1)
        # On a card it is the pair that is taken unasked.
        named = () if device != "cpu" else ("--model", NAME)
        made.dmdoc("models", "models")
        made.dmdoc("ingest", "ingest", NOTE, "--verbose", *named)
        made.dmdoc("ask", "ask", "Who is the captain?", "--verbose", "--max-tokens", "16", *named)
        return {"seconds to write the files": wrote, **made.result}


def command(device: str) -> dict[str, Any]:
    """Read, refine, ask, talk and compare."""
    with commands(device) as made:
        report = str(made.samples / "halvorsen-report.pdf")
        made.dmdoc("ingest", "ingest", report)
        made.dmdoc("ingest 1 MB", "ingest", str(large_text(made.folder, device)))
        made.dmdoc("refine", "ingest", "--refine", "24" if device != "cpu" else "1", report)
        made.dmdoc("ask", "ask", "Who was the largest customer?", "-d", "halvorsen-report")
        made.dmdoc("chat", "chat", "halvorsen-report", piped="Who was the largest customer?\n/stats\n")
        made.dmdoc("compare", "compare", "--documents", "1", "--facts", "2", "--mode", "state")
        return made.result


def demo(device: str) -> dict[str, Any]:
    """`make demo`, without making an environment or fetching a model."""
    with commands(device) as made:
        stamp = made.folder / "installed"
        stamp.touch()
        called = " ".join(DMDOC)
        settings = {
            "STAMP": stamp, "SAMPLES": made.samples, "DMDOC": called,
            "DEMO": f"DMDOC_HOME={made.folder / 'home'} {called}",
        }  # fmt: skip
        made.run("make demo", "make", "demo", *(f"{name}={value}" for name, value in settings.items()))
        return made.result


def resume(device: str) -> dict[str, Any]:
    """An ingest that is killed once it has saved something, and the one that goes on."""
    with commands(device) as made:
        large = str(large_text(made.folder, device))
        killed = subprocess.Popen(
            [*DMDOC, "ingest", large], env=made.environment, cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        assert killed.stderr is not None
        at = next((line.strip() for line in killed.stderr if re.search("section [1-9]", line)), "never")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        again = json.loads(made.dmdoc("ingest again", "ingest", large, "--jsonl"))
        made.dmdoc("verify", "verify", "--all")
        return {"killed at": at, "went on": again["status"] == "resumed", **made.result}


COMMAND_STEPS: dict[str, Callable[[str], dict[str, Any]]] = {
    "published": published, "command": command, "demo": demo, "resume": resume,
}  # fmt: skip
"""In order of worth."""
