"""What a question costs from outside: a process that loads everything, one helped by a server, many clients at once.

Seconds and megabytes, with the embedded model, on the machine that this runs on; `bench.py` puts them into its table.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
from crowd import ask_at_once

SAMPLES = Path(__file__).parent.parent / "dmdoc" / "samples"
QUESTION = "Who is the captain of the barge Sorrel?"

LOADING = """
import time
began = time.perf_counter()
from pathlib import Path
from dmdoc.answer.ask import load_state
from dmdoc.answer.recall import recall
from dmdoc.model.reader import open_reader
imported = time.perf_counter()
reader = open_reader(None, None, cache=Path({cache!r}), offline=True)
print(imported - began, time.perf_counter() - imported)
"""

PEER = """
const {getLlama, LlamaChatSession} = await import("node-llama-cpp");
const model = await (await getLlama({gpu: false})).loadModel({modelPath: process.argv[1]});
const session = new LlamaChatSession({contextSequence: (await model.createContext()).getSequence()});
await session.prompt(process.argv[2], {maxTokens: 8});
"""
"""Loads a model and answers with the note in the prompt."""


Measured = tuple[str, float, float, str]
"""What was measured, the figure, the most that it may be, and its unit."""


def rows(cache: Path, *, repeats: int, crowd_seconds: float) -> list[Measured]:
    """
    Args:
        cache: where the embedded model is.
        crowd_seconds: how long 64 clients ask.
    """
    with TemporaryDirectory(prefix="dmdoc-") as folder:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DMDOC_")},
            **{f"DMDOC_{name}": f"{folder}/{name.lower()}" for name in ("HOME", "RUNTIME", "CONFIG")},
            "DMDOC_CACHE": str(cache),
        }
        _dmdoc(environment, "ingest", str(SAMPLES / "sorrel-note.txt"), "--quiet")
        return [
            *_cold(environment, cache, repeats),
            *_served(environment, repeats, crowd_seconds),
            *_peer(environment, cache, repeats),
        ]


def _cold(environment: Mapping[str, str], cache: Path, repeats: int) -> Iterator[Measured]:
    program = [sys.executable, "-c", LOADING.format(cache=str(cache))]
    runs = [_output(program, environment).split() for _ in range(repeats)]
    yield "import for an answer", statistics.median(float(run[0]) for run in runs), 3.0, "s"
    yield "load model and adapter", statistics.median(float(run[1]) for run in runs), 1.5, "s"
    cold = [_dmdoc(environment, "ask", "--no-server", QUESTION) for _ in range(repeats)]
    yield "dmdoc ask, whole process", statistics.median(cold), 5.0, "s"
    told = json.loads(_output([*_COMMAND, "ask", "--no-server", "--json", QUESTION], environment))
    yield "of that the answer", told["seconds"], 1.0, "s"
    yield "most memory of dmdoc ask", _most_memory(environment, "ask", "--no-server", QUESTION), 700, "MB"


def _served(environment: Mapping[str, str], repeats: int, crowd_seconds: float) -> Iterator[Measured]:
    with _server(environment) as address:
        _dmdoc(environment, "ask", QUESTION)
        asked = [_dmdoc(environment, "ask", QUESTION) for _ in range(4 * repeats)]
        yield "dmdoc ask through the server, whole process", statistics.median(asked), 0.6, "s"
        questions = [
            {"question": json.loads(line)["question"]}
            for line in (SAMPLES / "sorrel-questions.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        crowd = ask_at_once(address, questions, clients=64, seconds=crowd_seconds)
    name = f"64 clients for {crowd_seconds:g} s, {len(crowd.seconds)} answers, p95"
    yield name, crowd.p95, 60.0, "s"
    yield "of these other than asked alone", float(len(crowd.wrong)), 0.0, "answers"


def _peer(environment: Mapping[str, str], cache: Path, repeats: int) -> Iterator[Measured]:
    """llama.cpp, where node-llama-cpp and a GGUF file of the model (GGUF in the environment) are there."""
    node, model = shutil.which("node"), os.environ.get("GGUF")
    if node is None or model is None:
        return
    prompt = f"{(SAMPLES / 'sorrel-note.txt').read_text(encoding='utf-8')}\n{QUESTION}"
    command = [node, "--input-type=module", "-e", PEER, model, prompt]
    if subprocess.run(command, env=environment, capture_output=True).returncode != 0:
        return
    yield (
        "llama.cpp with the text in its prompt, whole process",
        _median(command, environment, repeats),
        60,
        "s",
    )


_COMMAND = [sys.executable, "-m", "dmdoc"]


@contextmanager
def _server(environment: Mapping[str, str]) -> Iterator[str]:
    """A server in the background; its address, once commands find it too."""
    _output([*_COMMAND, "serve", "--background", "--port", "0"], environment)
    try:
        commands = Path(environment["DMDOC_RUNTIME"]) / "commands.sock"
        while not commands.exists():
            time.sleep(0.1)
        local = httpx2.HTTPTransport(uds=str(commands.with_name("http.sock")))
        with httpx2.Client(transport=local) as client:
            yield client.get("http://localhost/health").json()["address"]
    finally:
        _output([*_COMMAND, "serve", "--stop"], environment)


def _dmdoc(environment: Mapping[str, str], *arguments: str) -> float:
    return _median([*_COMMAND, *arguments], environment, 1)


def _median(command: Sequence[str], environment: Mapping[str, str], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _output(command: Sequence[str], environment: Mapping[str, str]) -> str:
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def _most_memory(environment: Mapping[str, str], *arguments: str) -> float:
    """In a process between, whose only child it is: what counts is the largest child of all."""
    program = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    kilobytes = _output([sys.executable, "-c", program, *_COMMAND, *arguments], environment)
    return float(kilobytes) / 1000
