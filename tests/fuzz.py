"""Feed damaged and hostile files to every reader: each must succeed or say in one line what is wrong. `make fuzz`.

    python tests/fuzz.py --count 10000 --seed 0

Some are whole commands (fuzz_commands.py). Each case is a process of its own, which may take `SECONDS` of the processor
and `MEMORY`. It is made from the seed and its number alone, so that a campaign goes on where it was stopped
(`build/fuzz-SEED` has the next number) and `--only NUMBER` repeats one. Ends with `tried / failed / seed`.
"""

import argparse
import io
import json
import logging
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import torch
from fuzz_commands import Commands
from tiny import tiny_tokenizer

import dmdoc
from dmdoc.datasets import read_dataset, read_questions
from dmdoc.document import Document
from dmdoc.document.read import read_document
from dmdoc.errors import DmdocError
from dmdoc.library.bundle import read_bundle, write_bundle
from dmdoc.library.library import Library
from dmdoc.memory.state import MemoryState
from dmdoc.memory.state_file import read_state, save_state
from dmdoc.memory.state_header import Identity, Section, StateHeader
from dmdoc.model.prompt import load_prompt
from dmdoc.model.tokenizer import TextTokenizer
from dmdoc.settings.files import read_project, read_settings
from dmdoc.settings.trust import Trust

ROOT = Path(__file__).parent
SECONDS = 20
"""Of the processor, that a case may take."""

WAITED = 600
"""Seconds after which a case is taken to wait for something that never comes."""

MEMORY = 2 << 30
"""Bytes that a case may have in memory, in any of its processes."""

HOSTILE = [
    *(
        b"<|im_end|>",
        b"<|im_start|>system\n",
        b"{{ 1/0 }}",
        b"{% for",
        b"[/INST]",
        b"\x1b[2J",
        "\u202e".encode(),
    ),
    *(b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\\u0000", b"\\ud800", b"~nobody/x", b"../../x"),
    *(b"Infinity", b"NaN", b"-1", b"9223372036854775808", b"1e999", b"null", b"true"),
    *(b"[" * 5000, b'{"a":' * 5000, b"<a " * 5000, b"<!--" * 500, b" " * 30_000, b"<![x[ y ]]>"),
]
SETTINGS = b'home = "papers"\nmax_tokens = 3\ntemperature = 0.5\nmodel = "x"\nprompt = "mine.md"\n'
QUESTIONS = (
    b'{"question": "Who?", "answer": "Mia", "page": 1}\n{"question": "What?", "answers": ["a", "b"]}\n'
)
PROMPT = b"Be brief.\n---\n{{ question }}\nFocus: {{ style? }}\n"
DATASET = json.dumps(
    {"title": "t", "sections": ["One.", "Two."], "qas": [{"question": "q", "answers": ["One"], "section": 0}]}
).encode()
ANSWERED = {"question": "q", "answers": [{"text": "One", "answer_start": 0}]}
SQUAD = json.dumps(
    {"data": [{"title": "t", "paragraphs": [{"context": "One.", "qas": [ANSWERED]}]}]}
).encode()


@dataclass(frozen=True)
class Target:
    """Something that reads a file of others."""

    suffix: str
    seeds: tuple[bytes, ...]
    read: Callable[[Path], object]


def targets(folder: Path) -> dict[str, Target]:
    """Every reader, with good files to start from."""
    pages = ("Lot seven holds salt.", "Lot eight holds brine.")
    document = Document("lots", "/lots.txt", pages)
    identity = Identity("m", "1" * 64)
    header = StateHeader(
        backbone=identity,
        adapter=identity,
        tokenizer=identity,
        sections=(Section(5, 1, 2),),
        sections_total=1,
        write_budget=64,
        write_layout="plain",
        write_granularity="token",
        refine_steps=0,
        document_sha256=document.sha256,
        dmdoc_version="0",
        created="now",
    )
    state = MemoryState((torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4, 4)))
    library = Library(folder / "home")
    saved = library.finish(library.begin(document), state, header)
    write_bundle(saved, folder / "seed.dmdoc")
    save_state(folder / "seed.safetensors", state, header)
    tokenizer = TextTokenizer(tiny_tokenizer())

    def encode(path: Path) -> None:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        assert not tokenizer.control_ids & set(tokenizer.encode(text))

    def prompt(path: Path) -> None:
        loaded = load_prompt(str(path))
        loaded.fill(**dict.fromkeys(loaded.required_variables(), "x"))

    texts = (
        b"A report. It says things.\n\nMore of it.",
        b"<html><body><h1>A</h1><p>Salt rose.</p></body></html>",
    )
    commands = Commands(folder)
    files = [path for path in sorted((ROOT / "cases").iterdir()) if path.is_file()]
    documents = {path.suffix: path.read_bytes() for path in files if path.stat().st_size < 200_000}
    found = {
        f"document{suffix}": Target(suffix, (content,), lambda path: read_document(str(path)))
        for suffix, content in ({".txt": texts[0], ".html": texts[1]} | documents).items()
    }
    seeds = {
        "import": (".dmdoc", commands.bundle),
        "ask --prompt": (".md", PROMPT),
        "ask --questions": (".txt", b"Who sold brine?\nWhat does lot seven hold?\n"),
        "ask -": (".txt", b"Who sold brine in 1931?"),
        "with a project's settings": (".toml", SETTINGS),
        "with settings": (".toml", SETTINGS),
        "with a name": (".txt", b"salt"),
    }
    for name, read in commands.readers().items():
        suffix, seed = seeds[name]
        found[name] = Target(suffix, (seed,), read)
    for suffix in (".txt", ".html", ".eml", ".pdf"):
        found[f"ingest {suffix}"] = replace(found[f"document{suffix}"], read=commands.ingest)
    return found | {
        "bundle": Target(".dmdoc", ((folder / "seed.dmdoc").read_bytes(),), read_bundle),
        "state": Target(".safetensors", ((folder / "seed.safetensors").read_bytes(),), read_state),
        "settings": Target(".toml", (SETTINGS,), read_settings),
        "project": Target(".toml", (SETTINGS,), lambda path: read_project(path, Trust(folder))),
        "questions": Target(".jsonl", (QUESTIONS,), read_questions),
        "dataset": Target(".json", (DATASET, SQUAD), read_dataset),
        "prompt": Target(".md", (PROMPT,), prompt),
        "text": Target(".txt", (b"Lot <|im_end|> salt",), encode),
    }


def import_all(known: dict[str, Target], folder: Path) -> None:
    """Import once what every case would import again in its own process."""
    for found in walk_packages(dmdoc.__path__, "dmdoc."):
        if not found.name.endswith(("_triton", "__main__", "ray_writers")):
            import_module(found.name)
    for name, target in known.items():
        if name.startswith("document"):
            (folder / f"seed{target.suffix}").write_bytes(target.seeds[0])
            with suppress(DmdocError):
                target.read(folder / f"seed{target.suffix}")


def damaged(content: bytes, draw: random.Random) -> bytes:
    """The content after one to four changes: bytes flipped, cut, doubled, moved, or something hostile put in."""
    for _ in range(draw.randint(1, 4)):
        at, length = draw.randint(0, len(content)), draw.randint(1, 64)
        hostile = draw.choice(HOSTILE) * draw.choice((1, 1, 1, 20))
        content = draw.choice(
            [
                content[:at] + bytes([draw.randrange(256)]) + content[at + 1 :],
                content[:at] + content[at + length :],
                content[:at],
                content[:at] + content[at : at + length] * draw.randint(2, 50) + content[at + length :],
                content[:at] + hostile + content[at:],
                content.replace(content[at : at + 3] or b"a", hostile, 1),
            ]
        )
    return content


def damaged_archive(content: bytes, draw: random.Random) -> bytes:
    """A ZIP archive whose members are damaged, and whose own checks are right."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(packed, "w") as target:
        for info in archive.infolist():
            member = archive.read(info)
            target.writestr(info.filename, damaged(member, draw) if draw.random() < 0.5 else member)
    return packed.getvalue()


def case(number: int, seed: int, known: dict[str, Target], folder: Path) -> tuple[str, str | None]:
    """Try one; returns what was read and, if that failed, how."""
    draw = random.Random(f"{seed}/{number}")
    name = draw.choice(sorted(known))
    target = known[name]
    content = draw.choice(target.seeds)
    whole = zipfile.is_zipfile(io.BytesIO(content)) and draw.random() < 0.7
    path = folder / f"case{target.suffix}"
    path.write_bytes(damaged_archive(content, draw) if whole else damaged(content, draw))
    return name, tried(lambda: target.read(path))


def tried(read: Callable[[], object]) -> str | None:
    """Read in a process of its own: how that failed, if it did."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            _be_child(read, said.fileno())
        _, status, used = os.wait4(child, 0)
        said.seek(0)
        failure = said.read().decode(errors="replace")
    code = os.waitstatus_to_exitcode(status)
    took, most = used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if failure:
        return failure
    if code:
        return f"ended with {signal.Signals(-code).name if code < 0 else code} after {took:.0f} s"
    if took > SECONDS:
        return f"took {took:.0f} s"
    return f"took {most >> 20:,} MB" if most > MEMORY else None


def _be_child(read: Callable[[], object], said: int) -> None:
    """Read, write into `said` what was wrong, and end."""
    failure = ""
    try:
        signal.alarm(WAITED)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, resource.RLIM_INFINITY))
        read()
    except DmdocError as error:
        failure = f"more than one line: {error}" if "\n" in str(error).strip() else ""
    except BaseException:
        failure = traceback.format_exc()
    finally:
        os.write(said, failure.encode(errors="replace"))
        os._exit(0)


def main() -> int:
    for library in ("pypdf", "trafilatura"):  # as the command line has it
        logging.getLogger(library).setLevel(logging.CRITICAL)
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=1000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", type=int, help="repeat one case and keep its file")
    given = options.parse_args()
    progress = ROOT.parent / "build" / f"fuzz-{given.seed}"
    progress.parent.mkdir(exist_ok=True)
    first = int(progress.read_text()) if progress.is_file() else 0
    numbers = [given.only] if given.only is not None else range(first, given.count)
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        known = targets(folder)
        import_all(known, folder)
        for number in numbers:
            name, failure = case(number, given.seed, known, folder)
            if failure is not None:
                failed += 1
                print(f"case {number} ({name}): {failure}", flush=True)
            if given.only is None and number % 50 == 49:
                progress.write_text(str(number + 1))
    progress.unlink(missing_ok=True)
    print(f"tried {len(numbers)} / failed {failed} / seed {given.seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
