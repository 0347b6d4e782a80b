"""Every line of the cookbook, run by a shell as it is printed, one after another in one folder.

A server runs beside them, for a process that loads a model takes seconds; test_sessions.py holds commands that it does
to what they do by themselves.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import CONFIG
from sample_pdf import write_pdf
from serving import until
from tiny import save_tiny_reader, tiny_reader

from dmdoc.library.library import Library
from dmdoc.serve.handover import SOCKET
from dmdoc.serve.run import answers

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook.md"
RECIPES = re.findall(r"^```sh\n(.*?)\n```$", COOKBOOK.read_text(encoding="utf-8"), flags=re.M | re.S)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(shutil.which(tool) is None for tool in ("bash", "jq", "find", "xargs")),
        reason="bash, jq, find or xargs is not installed",
    ),
]


@pytest.fixture
def kitchen(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The folder that the cookbook speaks of, `dmdoc` on the path, and a tiny model that it takes."""
    model, adapter = save_tiny_reader(tiny_reader(CONFIG), tmp_path)
    for name in [name for name in os.environ if name.startswith("DMDOC_")]:
        monkeypatch.delenv(name)
    runtime = tmp_path_factory.mktemp("k")  # the path of a socket must be short
    settings = {
        "HOME": tmp_path / "home",
        "CONFIG": tmp_path / "config",
        "RUNTIME": runtime,
        "MODEL": model,
        "ADAPTER": adapter,
    }
    for name, value in {**settings, "MAX_TOKENS": 4}.items():
        monkeypatch.setenv(f"DMDOC_{name}", str(value))
    monkeypatch.setenv("PYTHONPATH", str(COOKBOOK.parent.parent))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    command = tmp_path / "bin" / "dmdoc"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dmdoc "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")

    folder = tmp_path / "kitchen"
    for name in ("inbox", "contracts"):
        (folder / name).mkdir(parents=True)
    for number in (7, 8):
        (folder / "inbox" / f"note {number}.txt").write_text(f"Lot {number} holds salt.", encoding="utf-8")
    (folder / "inbox" / "picture.bin").write_bytes(bytes(range(256)) * 4)
    for number in range(50):
        text = f"Contract {number} runs for {number} days."
        (folder / "contracts" / f"contract-{number:02}.txt").write_text(text, encoding="utf-8")
    (folder / "terms.txt").write_text("How long does it run?\nWho signs?\n", encoding="utf-8")
    write_pdf(folder / "report.pdf", ["The first page.", "", "The third."])
    subprocess.run([command, "serve", "--background", "--port", "0"], check=True, capture_output=True)
    until(lambda: answers(runtime / SOCKET), 120)
    yield folder
    subprocess.run([command, "serve", "--stop"], check=True, capture_output=True)


def test_every_recipe_runs_as_it_is_printed(kitchen: Path, tmp_path: Path) -> None:
    def cook(recipe: str) -> str:
        run = subprocess.run(
            ["bash", "-c", recipe], cwd=kitchen, capture_output=True, text=True, timeout=600, check=False
        )
        assert run.returncode == 0, f"{recipe}\n{run.stderr}"
        return run.stdout

    library = Library(tmp_path / "home")
    assert len(RECIPES) == 10
    find, nightly, failed, terms, lift, page, scans, export, verify, forget = RECIPES

    cook(find)
    assert library.names() == ("note-7", "note-8")
    assert {saved.tags for saved in library.documents()} == {("inbox",)}
    cook(nightly)
    assert "picture.bin" in (kitchen / "nightly.log").read_text(encoding="utf-8")
    assert re.fullmatch(r".*/picture\.bin: .* is binary.*\n", cook(failed))
    cook(terms)
    rows = (kitchen / "terms.tsv").read_text(encoding="utf-8").splitlines()
    assert [row.count("\t") for row in rows] == [2] * 50
    assert rows[49].startswith("contract-49\t")
    assert cook(lift).endswith(" nats a token\n")
    assert cook(page).splitlines()[-1] == "page 1: Lot 7 holds salt."
    assert json.loads(cook(scans)) == [2]
    cook(export)
    assert sorted(path.name for path in kitchen.glob("*.dmdoc")) == ["note-7.dmdoc", "note-8.dmdoc"]
    assert cook(verify) == "true\n"
    (kitchen / "inbox" / "note 8.txt").unlink()
    cook(f"dmdoc import {kitchen}/note-7.dmdoc --name imported")
    cook(forget)
    assert "imported" in library.names()
    cook("dmdoc rm imported")
    assert "note-8" not in library.names() and len(library.names()) == 51
