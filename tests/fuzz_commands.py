"""Whole commands on hostile files and words, for fuzz.py: none may lose a document or end in a traceback.

Each works on a fresh copy of a small library, in this process, which fuzz.py forks for the case; a few are processes of
their own, with a model and an adapter from files.
"""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from command_line import CONFIG, become, told_of
from tiny import save_tiny_reader, tiny_reader

from dmdoc.document import Document, isolated
from dmdoc.document.read import read_document
from dmdoc.ingest.single import ingest
from dmdoc.library.bundle import write_bundle
from dmdoc.library.library import Library
from dmdoc.library.shelf import Damaged

WHOLE = 0.005
"""The share of commands that are processes of their own, and of documents that are read in one."""

CODES = range(8)
"""What a command may end with (errors.py)."""

QUICK = ("--max-tokens", "2")

REFINED = 64 << 10
"""Bytes of the longest file that is refined: steps over hundreds of sections take longer than a case may."""

TEXTS = {
    "salt": "Lot seven holds salt. " * 12,
    "brine": "Lot eight holds brine, which Mia sold in 1931. " * 8,
}


class Fault(Exception):
    """What a command must not do."""


class Commands:
    """The library that every command works on."""

    def __init__(self, folder: Path) -> None:
        self._template, self._folder = folder / "template", folder / "try"
        self._reader = tiny_reader(CONFIG)
        self._models = save_tiny_reader(self._reader, folder)
        for name in ("home", "in", "config"):
            (self._template / name).mkdir(parents=True)
        library = Library(self._template / "home")
        for name, text in TEXTS.items():
            ingest(Document(name, f"/papers/{name}.txt", (text,)), self._reader, library)
        write_bundle(library.get("salt"), self._template / "in" / "salt.dmdoc")
        self.bundle = (self._template / "in" / "salt.dmdoc").read_bytes()
        self._texts = {saved.sha256 for saved in library.documents()}

    def ingest(self, path: Path) -> None:
        draw = drawn(path)
        options = draw.choice([(), ("--tag", word(draw)), ("--name", word(draw)), ("--refine", "2")])
        if "--refine" in options and path.stat().st_size > REFINED:
            options = ()
        self.run(draw, "ingest", str(path), "--quiet", *options)

    def install(self, path: Path) -> None:
        draw = drawn(path)
        options = draw.choice([(), ("--tag", word(draw)), ("--name", word(draw))])
        self.run(draw, "import", str(path), *options)

    def ask_with_prompt(self, path: Path) -> None:
        draw = drawn(path)
        options = draw.choice([(), ("--json",), ("--all",), ("--all", "--jsonl"), ("--evidence",)])
        self.run(draw, "ask", "Who sold brine?", "--prompt", str(path), *options, *QUICK)

    def ask_questions(self, path: Path) -> None:
        draw = drawn(path)
        options = draw.choice([(), ("--jsonl",), ("--all",), ("-d", "salt"), ("--recall", "state")])
        self.run(draw, "ask", "--questions", str(path), *options, *QUICK)

    def ask(self, path: Path) -> None:
        draw = drawn(path)
        options = draw.choice(
            [(), ("--json",), ("--all", "--strict"), ("--recall", "full"), ("-d", word(draw))]
        )
        self.run(draw, "ask", "-", *options, *QUICK, stdin=path.read_bytes())

    def with_project(self, path: Path) -> None:
        self._with_settings(path, ".dmdoc.toml")

    def with_settings(self, path: Path) -> None:
        self._with_settings(path, "config/config.toml")

    def name(self, path: Path) -> None:
        draw = drawn(path)
        given = path.read_bytes().replace(b"\0", b"")[:4000]
        hostile = os.fsdecode(given[: draw.choice((8, 40, 4000))])
        command = draw.choice(
            [
                ("rename", "salt", hostile),
                ("tag", "salt", hostile),
                ("tag", hostile, "new"),
                ("show", hostile),
                ("export", hostile),
                ("export", "salt", "-o", hostile.lstrip("/")),
                ("verify", hostile),
                ("ls", "--tag", hostile),
                ("ask", hostile, *QUICK),
                ("ask", "Salt?", "-d", hostile, *QUICK),
                ("ingest", hostile),
                ("import", hostile),
                ("extract", hostile),
                ("config", hostile),
                (hostile,),
            ]
        )
        self.run(draw, *command)

    def _with_settings(self, path: Path, place: str) -> None:
        draw = drawn(path)
        command = draw.choice(
            [("ls",), ("config",), ("ask", "Salt?", *QUICK), ("show",), ("config", "trust")]
        )
        self.run(draw, *command, files={place: path.read_bytes()})

    def run(
        self, draw: random.Random, *arguments: str, stdin: bytes = b"", files: dict[str, bytes] | None = None
    ) -> None:
        """
        Raises:
            Fault: the command did what none may do.
        """
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._template, self._folder)
        for name, content in {"stdin": stdin, **(files or {})}.items():
            (self._folder / name).write_bytes(content)
        # No argument has a NUL; what else no shell would hand over is no question here.
        arguments = tuple(argument.replace("\0", "") for argument in arguments)
        if draw.random() >= WHOLE:
            isolated.IsolatedReader.read = _read_here  # type: ignore[method-assign]
        if draw.random() < WHOLE:
            code, told = self._process(arguments)
        else:
            code = become(arguments, self._folder, self._reader)
            told = told_of(self._folder)
        if code not in CODES or "Traceback" in told or "error: unforeseen" in told:
            raise Fault(f"{arguments!r} ended with {code}: {told[-3000:]}")
        self._check(arguments)

    def _process(self, arguments: tuple[str, ...]) -> tuple[int, str]:
        own = {name: str(self._folder / name.removeprefix("DMDOC_").lower()) for name in HOMES}
        given = {"DMDOC_MODEL": str(self._models[0]), "DMDOC_ADAPTER": str(self._models[1]), **own}
        with (self._folder / "stdin").open("rb") as stdin:
            run = subprocess.run(
                [sys.executable, "-m", "dmdoc", "--no-server", *arguments],
                cwd=self._folder,
                env={**os.environ, **given},
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        return run.returncode, run.stdout.decode(errors="replace")

    def _check(self, arguments: tuple[str, ...]) -> None:
        """Whatever came in, the two documents are whole."""
        library = Library(self._folder / "home")
        library.tidy()
        found = library.survey()
        damaged = [each.name for each in found if isinstance(each, Damaged)]
        texts = set()
        for saved in found:
            if not isinstance(saved, Damaged):
                saved.pages(), saved.state()
                texts.add(saved.sha256)
        if damaged or not self._texts <= texts:
            raise Fault(f"{arguments!r} lost a document; damaged: {damaged}")

    def readers(self) -> dict[str, Callable[[Path], None]]:
        """By what is read from a file."""
        return {
            "import": self.install,
            "ask --prompt": self.ask_with_prompt,
            "ask --questions": self.ask_questions,
            "ask -": self.ask,
            "with a project's settings": self.with_project,
            "with settings": self.with_settings,
            "with a name": self.name,
        }


HOMES = ("DMDOC_HOME", "DMDOC_CACHE", "DMDOC_CONFIG")

_WORDS = (
    "new",
    "",
    "-",
    "--",
    "../x",
    "a/b",
    ".",
    "x" * 300,
    "\udcff",
    "[/x]",
    "\x1b[2J",
    "Salz",
    "current",
    "1e9",
)


def word(draw: random.Random) -> str:
    """A name or a tag, mostly one that is none."""
    return draw.choice(_WORDS)


def drawn(path: Path) -> random.Random:
    """What else a case draws depends on its file alone."""
    return random.Random(path.read_bytes())


def _read_here(self: isolated.IsolatedReader, source: str, **options: object) -> Document:
    """In place of `IsolatedReader.read`, without a process of its own."""
    return read_document(source, limits=self._limits, **options)  # type: ignore[arg-type]
