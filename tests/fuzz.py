"""Feed damaged and hostile files to every reader: each must succeed or say in one line what is wrong. `make fuzz`.

    python tests/fuzz.py --count 10000 --seed 0

A case is made from the seed and its number alone, so that a campaign goes on where it was stopped (`build/fuzz-SEED`
has the next number) and `--only NUMBER` repeats one. Ends with `tried / failed / seed`.
"""

import argparse
import io
import json
import logging
import random
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from tiny import tiny_tokenizer

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
"""What a case may take."""

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
    files = [path for path in sorted((ROOT / "cases").iterdir()) if path.is_file()]
    documents = {path.suffix: path.read_bytes() for path in files if path.stat().st_size < 200_000}
    found = {
        f"document{suffix}": Target(suffix, (content,), lambda path: read_document(str(path)))
        for suffix, content in ({".txt": texts[0], ".html": texts[1]} | documents).items()
    }
    return found | {
        "bundle": Target(".dmdoc", ((folder / "seed.dmdoc").read_bytes(),), read_bundle),
        "state": Target(".safetensors", ((folder / "seed.safetensors").read_bytes(),), read_state),
        "settings": Target(".toml", (SETTINGS,), read_settings),
        "project": Target(".toml", (SETTINGS,), lambda path: read_project(path, Trust(folder))),
        "questions": Target(".jsonl", (QUESTIONS,), read_questions),
        "dataset": Target(".json", (DATASET, SQUAD), read_dataset),
        "prompt": Target(".md", (b"Be brief.\n---\n{{ question }}\nFocus: {{ style? }}\n",), prompt),
        "text": Target(".txt", (b"Lot <|im_end|> salt",), encode),
    }


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
    started = time.monotonic()
    try:
        target.read(path)
    except DmdocError as error:
        if "\n" in str(error).strip():
            return name, f"more than one line: {error}"
    except Exception:
        return name, traceback.format_exc()
    if (took := time.monotonic() - started) > SECONDS:
        return name, f"took {took:.0f} s"
    return name, None


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
