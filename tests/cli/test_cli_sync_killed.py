"""A folder of thirty files of many kinds, changed and synced again, killed in between or not.

The syncs are processes of their own, forked from this one, and those that are killed are killed by SIGKILL.
"""

import json
import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from command_line import Invoke, become, told_of

from dmdoc.document import read_document
from dmdoc.ingest import sync
from dmdoc.library.library import Library
from dmdoc.model.reader import Reader

SAID = "Lot {number} holds {what}."


def text(said: str) -> bytes:
    return said.encode()


def table(said: str) -> bytes:
    return f"lot,holds\n{said},much\n".encode()


def page(said: str) -> bytes:
    return f"<html><body><p>{said}</p></body></html>".encode()


def mail(said: str) -> bytes:
    return f"From: a@example.org\nTo: b@example.org\nSubject: Lots\n\n{said}\n".encode()


def notebook(said: str) -> bytes:
    return json.dumps(
        {"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "markdown", "source": said}]}
    ).encode()


def rich_text(said: str) -> bytes:
    return rf"{{\rtf1 {said}}}".encode()


KINDS: dict[str, Callable[[str], bytes]] = {
    ".txt": text, ".csv": table, ".html": page, ".eml": mail, ".ipynb": notebook, ".rtf": rich_text
}  # fmt: skip


class Folder:
    """Thirty files, which change by chance, but always in the same way for the same seed."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path, self._draw, self._made = path, random.Random(seed), 0
        (path / "deep").mkdir(parents=True)
        for _ in range(5):
            for suffix in KINDS:
                self._add(suffix)

    def change(self) -> None:
        """Add two files, edit one, move one and remove two."""
        for _ in range(2):
            self._add(self._draw.choice(list(KINDS)))
        edited, moved, *removed = self._draw.sample(self.files(), 4)
        self._write(edited)
        moved.rename(self.path / f"moved-{self._made}{moved.suffix}")
        for path in removed:
            path.unlink()

    def files(self) -> list[Path]:
        return sorted(path for path in self.path.rglob("*") if path.is_file())

    def _add(self, suffix: str) -> None:
        self._write(self.path / self._draw.choice(["", "deep"]) / f"file-{self._made}{suffix}")

    def _write(self, path: Path) -> None:
        self._made += 1
        path.write_bytes(
            KINDS[path.suffix](SAID.format(number=self._made, what=self._draw.choice(["salt", "tar"])))
        )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(sync, "SETTLED", 0)  # the files are taken for whole at once
    return Folder(tmp_path / "papers", 0)


DISK_CALLS = ("mkdir", "rename", "replace", "unlink", "rmdir")
"""Calls of `os` before which a sync may be killed."""

Dies = Callable[[list[str], str], bool]
"""Whether a process dies: what it has done to the disk so far, and what it is about to do."""

MOMENTS: dict[str, Dies] = {
    "between the renames of an update": lambda done, now: (
        "/.old-" in done[-1] and now.startswith("rename") and "/.staging-" in now
    ),
    "between the renames of a removal of two": lambda done, now: (
        now.startswith("rename") and all("/.removed-" in each for each in (done[-1], now))
    ),
    "before a moved document has its new source": lambda _, now: (
        now.startswith("replace") and "/documents/moved-" in now
    ),
    "when all is removed but not what says so": lambda done, now: (
        now.endswith("/journal") and now.startswith("unlink") and "/.removed-" in last(done, "rename")
    ),
}


def before_step(step: int) -> Dies:
    return lambda done, _: len(done) > step


MOMENTS.update({f"before step {step}": before_step(step) for step in random.Random(1).sample(range(110), 4)})


def last(done: Sequence[str], call: str) -> str:
    return next((each for each in reversed(done) if each.startswith(call)), "")


class Syncs:
    """Syncs of a folder, each in a process of its own."""

    def __init__(self, folder: Folder, home: Path, reader: Reader) -> None:
        self._folder, self._home, self._reader = folder, home, reader

    def run(self, *, dies: Dies = lambda *_: False) -> int:
        """The exit code, or minus the signal."""
        child = os.fork()
        if child == 0:
            code = 70
            try:
                torch.set_num_threads(1)
                sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")  # not those of pytest
                die_before(dies)
                code = become(self.arguments, self._home.parent, self._reader)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    @property
    def arguments(self) -> tuple[str, ...]:
        return "ingest", str(self._folder.path), "--sync", "--prune", "--yes"

    def told(self) -> str:
        """What the last one told."""
        return told_of(self._home.parent)


def die_before(dies: Dies) -> None:
    """Let this process kill itself before a change to the disk."""
    done: list[str] = [""]

    def watched(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*paths: object, **more: object) -> object:
            now = " ".join(map(str, (name, *paths)))
            if dies(done, now):
                os.kill(os.getpid(), signal.SIGKILL)
            done.append(now)
            return real(*paths, **more)

        return call

    for name in DISK_CALLS:
        setattr(os, name, watched(name, getattr(os, name)))


@pytest.fixture
def syncs(invoke: Invoke, folder: Folder, home: Path, reader: Reader) -> Syncs:
    """The folder is in step already; this process has imported what a sync needs, and its children need not."""
    syncs = Syncs(folder, home, reader)
    assert invoke(*syncs.arguments).code == 0
    assert_in_step(folder, home)
    return syncs


def assert_in_step(folder: Folder, home: Path) -> None:
    """Each file has its document, each document its file and the states of its text, and nothing else is there."""
    library = Library(home)
    documents = library.documents()
    saved = {document.source: document.pages() for document in documents}
    assert saved == {str(path): read_document(str(path)).pages for path in folder.files()}
    for document in documents:
        assert document.state()[1].document_sha256 == document.sha256
    assert sorted(os.listdir(home / "documents")) == sorted(library.names())
    assert os.listdir(home / "locks") == []
    assert not (home / "journal").exists()


@pytest.mark.slow
def test_a_sync_that_is_killed_is_made_up_for_by_the_next(syncs: Syncs, folder: Folder, home: Path) -> None:
    for moment, dies in MOMENTS.items():
        folder.change()
        assert syncs.run(dies=dies) == -signal.SIGKILL, moment
        assert syncs.run() == 0, f"{moment}: {syncs.told()}"
        assert_in_step(folder, home)
    assert syncs.run() == 0
    assert syncs.told() == f"in step: {len(folder.files())} documents are unchanged\n"
