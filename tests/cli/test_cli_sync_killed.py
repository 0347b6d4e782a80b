"""A folder of thirty files of many kinds, changed and synced again, killed in between or not."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Invoke
from test_library_crashes import Killed, kill_before

from dmdoc.document import read_document
from dmdoc.ingest import sync
from dmdoc.library.library import Library

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
        """Add a file, edit one, move one and remove one."""
        self._add(self._draw.choice(list(KINDS)))
        edited, moved, removed = self._draw.sample(self.files(), 3)
        self._write(edited)
        moved.rename(self.path / f"moved-{self._made}{moved.suffix}")
        removed.unlink()

    def files(self) -> list[Path]:
        return sorted(path for path in self.path.rglob("*") if path.is_file())

    def _add(self, suffix: str) -> None:
        self._write(self.path / self._draw.choice(["", "deep"]) / f"file-{self._made}{suffix}")

    def _write(self, path: Path) -> None:
        self._made += 1
        path.write_bytes(
            KINDS[path.suffix](SAID.format(number=self._made, what=self._draw.choice(["salt", "tar"])))
        )


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in this process, which is quicker, and are taken for whole at once."""
    monkeypatch.setattr(sync, "SETTLED", 0)
    monkeypatch.setattr(
        "dmdoc.document.IsolatedReader.read",
        lambda _, source, name=None, **__: read_document(source, name=name),
    )


def assert_in_step(folder: Folder, home: Path) -> None:
    saved = {document.source: document.pages() for document in Library(home).documents()}
    assert saved == {str(path): read_document(str(path)).pages for path in folder.files()}


@pytest.mark.slow
def test_a_sync_that_is_killed_is_made_up_for_by_the_next(invoke: Invoke, tmp_path: Path, home: Path) -> None:
    folder, draw = Folder(tmp_path / "papers", 0), random.Random(1)
    sync_all = ("ingest", str(folder.path), "--sync", "--prune", "--yes", "--quiet")
    assert invoke(*sync_all).code == 0
    assert_in_step(folder, home)
    ended = 0
    for _ in range(8):
        folder.change()
        with pytest.MonkeyPatch.context() as patch:
            kill_before(patch, draw.randrange(90))
            try:
                invoke(*sync_all)
                ended += 1
            except Killed:
                pass
        assert invoke(*sync_all).code == 0
        assert_in_step(folder, home)
    assert ended < 8
    assert invoke(*sync_all[:3]).err == f"in step: {len(folder.files())} documents are unchanged\n"
