"""Kill commands at random moments, and damage files at random: `make crash N=300 SEED=0`.

Each try begins with the same small library. Either a command is killed (by the clock, or before a random change to the
disk), and then: every other document is as it was, the command is done or not done, it can be given again and then
leaves what it leaves when nobody kills it, and no stray file stays. Or a random file is damaged, and then: the library
opens, every other document is as it was, and the damaged one is told, or reads as it did.

A try depends on the seed and its number alone: FROM=NUMBER goes on, N=1 FROM=NUMBER tries one again.
"""

import argparse
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from command_line import CONFIG, become
from tiny import tiny_reader

from dmdoc.errors import DmdocError
from dmdoc.library.library import Library
from dmdoc.library.shelf import Damaged

DISK_CALLS = ("mkdir", "rename", "replace", "unlink", "rmdir", "fsync")
"""Calls of `os` before which a command may be killed."""

Contents = dict[str, Any]
"""Name of a document → all that is saved of it; "" → the name of the current one."""


@dataclass(frozen=True)
class Command:
    """What is killed."""

    arguments: tuple[str, ...]
    units: tuple[tuple[str, ...], ...]
    """The documents that it changes: those of a unit all together, different units one after the other."""
    again: tuple[int, ...] = (0,)
    """How it may end when it is given again."""
    prepare: Callable[[Path], object] = lambda _: None


def new_text(folder: Path) -> None:
    (folder / "papers" / "a.txt").write_text("Lot a was sold. It holds nothing now. " * 12, encoding="utf-8")


COMMANDS = {
    "ingest": Command(("ingest", "papers/n.txt", "--tag", "new", "--quiet"), (("n",),)),
    "ingest --refine": Command(("ingest", "papers/n.txt", "--refine", "3", "--quiet"), (("n",),)),
    "ingest of a folder": Command(
        ("ingest", "papers/more", "--tag", "new", "--quiet"), (("x",), ("y",), ("z",))
    ),
    "ingest of a changed file": Command(("ingest", "papers/a.txt", "--quiet"), (("a",),), prepare=new_text),
    "ingest of a torn one": Command(("ingest", "papers/torn.txt", "--quiet"), (("torn",),)),
    "import": Command(("import", "in/b.dmdoc", "--name", "imported", "--tag", "new"), (("imported",),)),
    "ingest of the same with a tag": Command(
        ("ingest", "papers/a.txt", "--tag", "new", "--quiet"), (("a",),)
    ),
    "import of the same with a tag": Command(("import", "in/b.dmdoc", "--tag", "new"), (("b",),)),
    "export": Command(("export", "b", "-o", "out/b.dmdoc", "--force"), ()),
    "rename": Command(("rename", "a", "renamed"), (("a", "renamed"),), again=(0, 3)),
    "rename of the current": Command(("rename", "c", "renamed"), (("c", "renamed"),), again=(0, 3)),
    "rm": Command(("rm", "c"), (("c",),), again=(0, 3)),
    "rm of two": Command(("rm", "a", "c"), (("a", "c"),), again=(0, 3)),
    "tag": Command(("tag", "b", "one", "two", "--remove", "old"), (("b",),)),
}


class Wrong(Exception):
    """What a try must not find."""


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--n", type=int, default=300)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--first", type=int, default=0)
    given = options.parse_args()
    tried, failed = campaign(given.n, given.seed, given.first)
    return 1 if failed or tried < given.n else 0


def campaign(n: int, seed: int, first: int = 0) -> tuple[int, int]:
    """Try `n` times from number `first` on; how many were tried, and how many failed."""
    tried = failed = 0
    with tempfile.TemporaryDirectory() as folder, changed_to(Path(folder)):
        crash = Crash(Path(folder).resolve())
        try:
            for number in range(first, first + n):
                failure = crash.attempt(random.Random(f"{seed}-{number}"))
                tried += 1
                if failure is not None:
                    failed += 1
                    print(f"try {number}: {failure}", flush=True)
        except KeyboardInterrupt:
            print(f"go on with FROM={first + tried}")
    print(f"tried {tried} / failed {failed} / seed {seed}", flush=True)
    return tried, failed


class Crash:
    """The library that every try begins with, and what each command makes of it."""

    def __init__(self, folder: Path) -> None:
        torch.set_num_threads(1)
        self._reader = tiny_reader(CONFIG)
        self._template, self._folder = folder / "template", folder / "try"
        self.home = self._folder / "home"
        build(self._folder, self._run)
        shutil.copytree(self._folder, self._template)
        self.before = contents(self.home)
        self.after: dict[str, Contents] = {}
        self.seconds: dict[str, float] = {}
        self.steps: dict[str, int] = {}
        for name, command in COMMANDS.items():
            self._begin(command)
            started = time.monotonic()
            steps = self._folder / "steps"
            code = self._run(command.arguments, steps=steps)
            assert code == 0, f"{name} ended with {code}"
            self.seconds[name] = time.monotonic() - started
            self.steps[name] = int(steps.read_text())
            self.after[name] = contents(self.home, together=len(command.units) > 1)
        self.exported = (self._template / "in" / "b.dmdoc").read_bytes()

    def attempt(self, rng: random.Random) -> str | None:
        """One try: what was wrong, or None."""
        told = "?"
        try:
            if rng.random() < 0.3:
                self._begin()
                path = rng.choice(sorted(path for path in self.home.rglob("*") if path.is_file()))
                told = f"{path.relative_to(self.home)} {damage(path, rng)}"
                self._check_damaged(path)
            else:
                name = rng.choice(sorted(COMMANDS))
                told = f"{name}, killed {self._kill(name, rng)}"
                self._check_killed(name)
        except Wrong as wrong:
            return f"{told}: {wrong}"
        except Exception:
            return f"{told}: {traceback.format_exc()}"
        return None

    def _begin(self, command: Command | None = None) -> None:
        shutil.rmtree(self._folder)
        shutil.copytree(self._template, self._folder)
        if command is not None:
            command.prepare(self._folder)

    def _kill(self, name: str, rng: random.Random) -> str:
        """Give a command and kill it; says when."""
        command = COMMANDS[name]
        self._begin(command)
        if rng.random() < 0.5:
            step = rng.randrange(self.steps[name])
            self._run(command.arguments, kill_before=step)
            return f"before step {step} of {self.steps[name]}"
        delay = rng.uniform(0, self.seconds[name] * 1.1)
        self._run(command.arguments, kill_after=delay)
        return f"after {delay:.3f} of {self.seconds[name]:.3f} s"

    def _check_killed(self, name: str) -> None:
        command, after = COMMANDS[name], self.after[name]
        Library(self.home).tidy()  # as every command does first
        found = contents(self.home)
        changed = {name for unit in command.units for name in unit}
        expect(
            {name: one for name, one in found.items() if name not in changed | {""}},
            {name: one for name, one in self.before.items() if name not in changed | {""}},
            "another document",
        )
        for unit in command.units:
            # Which document is current belongs to the change.
            own = unit if len(command.units) > 1 else (*unit, "")
            part = [found.get(name) for name in own]
            if part not in ([of.get(name) for name in own] for of in (self.before, after)):
                raise Wrong(f"{unit} is neither as before nor as after: {part}")
        expect(strays(self.home, staged=changed | {"torn"}), [], "stray files")
        for gone in self.before.keys() - found.keys() if name.startswith("rm") else ():
            expect(holding(self.home, word_of(gone)), [], f"still says what {gone} said")
        expect(leftovers(self._folder / "out"), [], "left beside the exported file")
        code = self._run(command.arguments)
        if code not in command.again:
            raise Wrong(f"given again it ended with {code}: {self._told()}")
        expect(contents(self.home), after, "given again")
        expect(strays(self.home, staged={"torn"} - changed), [], "stray files at the end")
        if name == "export" and (self._folder / "out" / "b.dmdoc").read_bytes() != self.exported:
            raise Wrong("the exported file is another one")

    def _check_damaged(self, path: Path) -> None:
        """Each document is as it was or damaged; only the one that the file belongs to may be."""
        owner = path.relative_to(self.home).parts[1] if "documents" in path.parts else ""
        code = self._run(("ls",))
        if code not in (0, 7) or "Traceback" in self._told():
            raise Wrong(f"ls ended with {code}: {self._told()}")
        found = contents(self.home)
        for name in self.before.keys() - {owner, ""}:
            expect(found.get(name), self.before[name], f"another document, {name}")
        if found.get("") not in (None, self.before[""]):
            raise Wrong(f"{found.get('')} is current")
        if owner and found.get(owner, "damaged") not in ("damaged", self.before.get(owner)):
            raise Wrong(f"{owner} is another document: {found[owner]}")
        code = self._run(("ask", "Salt?", "--all", "--max-tokens", "1", "--jsonl"))
        if code not in (0, 7) or "Traceback" in self._told():
            raise Wrong(f"ask --all ended with {code}: {self._told()}")
        name = owner.removeprefix(".staging-")
        if not name:
            return
        if owner == name:
            self._run(("rm", name))
        source = f"papers/{name}.txt"
        if self._run(("ingest", source, "--quiet")) != 0:
            raise Wrong(f"it cannot be read again: {self._told()}")
        expect(contents(self.home)[name]["pages"], contents_of_file(self._folder / source), "read again")
        expect(strays(self.home, staged={"torn"}), [], "stray files")

    def _told(self) -> str:
        return (self._folder / "told").read_text(errors="replace")[-600:]

    def _run(
        self,
        arguments: tuple[str, ...],
        *,
        kill_before: int | None = None,
        kill_after: float | None = None,
        steps: Path | None = None,
    ) -> int:
        """A command in a process of its own, forked from this one; its exit code, or minus the signal."""
        child = os.fork()
        if child == 0:
            self._be_command(arguments, kill_before, steps)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(child, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _be_command(self, arguments: tuple[str, ...], kill_before: int | None, steps: Path | None) -> None:
        code = 70
        try:
            count = counting(kill_before)
            code = become(arguments, self._folder, self._reader)
            if steps is not None:
                steps.write_text(str(count()))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def build(folder: Path, run: Callable[[tuple[str, ...]], int]) -> None:
    """Documents a, b and c, of which c is current and b refined; torn, whose ingest was interrupted; a bundle."""
    for name in ("papers/more", "in", "out"):
        (folder / name).mkdir(parents=True)
    for name in ("a", "b", "c", "n", "torn", "more/x", "more/y", "more/z"):
        text = f"Lot {name} holds {word_of(name)} salt. It was sold in 18{len(name)}4. " * 6
        (folder / "papers" / f"{name}.txt").write_text(text, encoding="utf-8")
    for command in (
        ("ingest", "papers/a.txt", "--tag", "old", "--quiet"),
        ("ingest", "papers/b.txt", "--refine", "2", "--tag", "old", "--quiet"),
        ("ingest", "papers/torn.txt", "--quiet"),
        ("ingest", "papers/c.txt", "--quiet"),
        ("export", "b", "-o", "in/b.dmdoc"),
    ):
        code = run(command)
        assert code == 0, f"{command} ended with {code}: {(folder / 'told').read_text()}"
    library = Library(folder / "home")
    torn = library.get("torn")
    state, header = torn.state()
    os.rename(torn.folder, torn.folder.with_name(".staging-torn"))
    staged = replace(torn, folder=torn.folder.with_name(".staging-torn"))
    staged.state_path.unlink()
    with library.lock("torn"):
        staged = library.begin(library_document(staged), restart=True)
        library.save_partial(staged, 0, state.rows(0, 1), replace(header, sections=header.sections[:1]))
    library.passages.drop("torn")


def library_document(saved: Any) -> Any:
    from dmdoc.document import Document

    return Document(saved.name, saved.source, saved.pages())


def contents(home: Path, *, together: bool = False) -> Contents:
    """All that is saved, but for when it was; "damaged" for a document that cannot be read."""
    library = Library(home)
    found: Contents = {}
    for saved in library.survey():
        if isinstance(saved, Damaged):
            found[saved.name] = "damaged"
            continue
        try:
            state, header = saved.state()
            found[saved.name] = {
                "saved": replace(saved, created="", folder=home, header_sha256=None, file=None),
                "pages": saved.pages(),
                "header": replace(header, created=""),
                "state": Numbers(state.layers, 1e-4 if together else 0.0),
            }
        except DmdocError:
            found[saved.name] = "damaged"
    try:
        found[""] = library.current().name
    except DmdocError:
        found[""] = None
    return found


@dataclass(frozen=True, eq=False)
class Numbers:
    """The numbers of a state. Those of documents that were written together depend on one another by rounding."""

    layers: tuple[torch.Tensor, ...]
    tolerance: float = 0.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Numbers) and all(
            mine.shape == its.shape
            and bool(((mine - its).abs() <= max(self.tolerance, other.tolerance)).all())
            for mine, its in zip(self.layers, other.layers, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]


def contents_of_file(path: Path) -> tuple[str, ...]:
    return (path.read_text(encoding="utf-8").strip(),)


def strays(home: Path, *, staged: set[str]) -> list[str]:
    """Files that belong to nothing; what is staged of these documents is something to go on with."""
    document = r"(document\.json|pages\.json|state\.safetensors)"
    partial = r"(document\.json|pages\.json|state\.safetensors|(partial|refining)-[0-9]+\.safetensors)"
    under_way = "|".join(map(re.escape, sorted(staged))) or "-"
    known = re.compile(
        rf"current|(passages|catalogue)\.sqlite(-wal|-shm)?|documents/[a-z]+/{document}|documents/\.staging-({under_way})/{partial}"
    )
    files = sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if not path.is_dir())
    return [file for file in files if not known.fullmatch(file)]


def word_of(name: str) -> str:
    """A word that no other document has."""
    return f"zz{name.rpartition('/')[2]}zz"


def holding(home: Path, word: str) -> list[Path]:
    """The files that have a word."""
    files = [path for path in home.rglob("*") if path.is_file()]
    return [path for path in files if word.encode() in path.read_bytes()]


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != "b.dmdoc"]


def expect(found: object, wanted: object, what: str) -> None:
    if found == wanted:
        return
    if isinstance(found, dict) and isinstance(wanted, dict):
        names = [name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)]
        found, wanted = ({name: of.get(name) for name in names} for of in (found, wanted))
    raise Wrong(f"{what}: {found} is not {wanted}")


def damage(path: Path, rng: random.Random) -> str:
    """Do something to a file; says what."""
    content = path.read_bytes()
    at = rng.randrange(max(len(content), 1))
    kind = rng.choice(("flipped", "flipped", "flipped", "cut", "emptied", "removed", "longer", "filled"))
    if kind == "removed":
        path.unlink()
        return kind
    if kind == "flipped" and content:
        bit = rng.randrange(8)
        content = content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :]
        kind = f"bit {bit} of byte {at} flipped"
    content = {
        "cut": content[:at],
        "emptied": b"",
        "longer": content + rng.randbytes(9),
        "filled": rng.randbytes(len(content)),
    }.get(kind, content)
    path.write_bytes(content)
    return kind


def counting(kill_before: int | None) -> Callable[[], int]:
    """Count the changes that this process makes to the disk; kill it before the one of this number."""
    made = 0

    def wrapped(real: Callable[..., object], *, waits: bool) -> Callable[..., object]:
        def call(*arguments: object, **more: object) -> object:
            nonlocal made
            if made == kill_before:
                os.kill(os.getpid(), signal.SIGKILL)
            made += 1
            return None if waits else real(*arguments, **more)

        return call

    for name in DISK_CALLS:
        setattr(os, name, wrapped(getattr(os, name), waits=name == "fsync"))
    return lambda: made


@contextmanager
def changed_to(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


if __name__ == "__main__":
    sys.exit(main())
