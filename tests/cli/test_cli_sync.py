"""Folders and the library in step: `ingest --sync`, `--prune`, `--dry-run` and `--watch`."""

import io
import random
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import watchfiles
from command_line import CONFIG, Invoke, checked, start
from tiny import save_tiny_reader, tiny_reader

from dmdoc.errors import DmdocError
from dmdoc.ingest import sync
from dmdoc.library.library import Library


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "SETTLED", 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "deep/c.txt"):
        (folder / name).write_text(f"Lot {name} holds salt.", encoding="utf-8")
    return folder


def in_step(folder: Path, home: Path) -> bool:
    """Whether the documents that belong to the folder are its files, each with its text."""
    try:
        saved = {document.source: document.pages() for document in Library(home).documents()}
    except DmdocError:
        return False  # one of them was replaced meanwhile
    files = {str(path): (path.read_text("utf-8"),) for path in folder.rglob("*.txt")}
    return {source: pages for source, pages in saved.items() if source.startswith(f"{folder}/")} == files


def test_what_is_new_changed_moved_and_gone_is_followed(invoke: Invoke, folder: Path, home: Path) -> None:
    assert invoke("ingest", str(folder), "--sync").code == 0
    assert in_step(folder, home)
    again = invoke("ingest", str(folder), "--sync")
    assert (again.out, again.err) == ("", "in step: 3 documents are unchanged\n")

    (folder / "a.txt").write_text("Lot one holds brine.", encoding="utf-8")
    (folder / "b.txt").rename(folder / "deep" / "moved.txt")
    (folder / "deep" / "c.txt").unlink()
    (folder / "d.txt").write_text("Lot four holds rope.", encoding="utf-8")
    run = invoke("ingest", str(folder), "--sync", "--prune", "--yes", "--jsonl")

    lines = [checked("followed" if "pages" not in line else "ingest", line) for line in run.out.splitlines()]
    assert {(line["document"], line["status"]) for line in lines} == {
        ("moved", "moved"), ("d", "added"), ("a", "updated"), ("c", "removed"),
    }  # fmt: skip
    assert in_step(folder, home)
    assert Library(home).names() == ("a", "d", "moved")


def test_a_folder_above_this_one_is_followed(
    invoke: Invoke, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "deep")
    invoke("ingest", "..", "--sync")
    assert in_step(folder, home)
    (folder / "a.txt").unlink()
    invoke("ingest", "..", "--sync", "--prune", "--yes")
    assert in_step(folder, home)
    assert invoke("ingest", "..", "--sync").err == "in step: 2 documents are unchanged\n"


def test_a_moved_file_is_not_read_again(
    invoke: Invoke, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("ingest", str(folder), "--sync")
    before = Library(home).get("b").state_path.read_bytes()
    (folder / "b.txt").rename(folder / "z.txt")
    monkeypatch.setattr("dmdoc.model.reader.open_reader", None)  # no model is loaded for it

    assert invoke("ingest", str(folder), "--sync").err == f"z: moved to {folder}/z.txt\n"
    assert Library(home).get("z").state_path.read_bytes() == before


def test_a_name_that_the_user_chose_stays(invoke: Invoke, folder: Path, home: Path) -> None:
    invoke("ingest", str(folder / "a.txt"), "--name", "chosen")
    (folder / "a.txt").rename(folder / "z.txt")
    invoke("ingest", str(folder), "--sync")

    assert Library(home).get("chosen").source == str(folder / "z.txt")


def test_nothing_is_removed_that_belongs_elsewhere(
    invoke: Invoke, folder: Path, home: Path, tmp_path: Path
) -> None:
    other = tmp_path / "papers-2" / "x.txt"
    other.parent.mkdir()
    other.write_text("Lot nine holds tar.", encoding="utf-8")
    bundle = tmp_path / "y.dmdoc"
    invoke("ingest", str(other))
    invoke("ingest", str(folder / "a.txt"), "--name", "y")
    invoke("export", "y", "--output", str(bundle))
    invoke("rm", "y")
    invoke("import", str(bundle))
    for path in (other, folder / "a.txt"):
        path.unlink()
    invoke("ingest", str(folder), "--sync", "--prune", "--yes")

    assert Library(home).names() == ("b", "c", "x", "y")


def test_a_dry_run_says_all_and_does_nothing(invoke: Invoke, folder: Path, home: Path) -> None:
    invoke("ingest", str(folder), "--sync")
    (folder / "a.txt").write_text("Lot one holds brine.", encoding="utf-8")
    (folder / "b.txt").rename(folder / "z.txt")
    (folder / "deep" / "c.txt").unlink()
    (folder / "d.txt").write_text("Lot four holds rope.", encoding="utf-8")
    (folder / "e.txt").write_text("", encoding="utf-8")
    run = invoke("ingest", str(folder), "--sync", "--dry-run")

    assert run.out.splitlines() == [
        f"would add {folder}/d.txt",
        f"would read again {folder}/a.txt",
        f"would move b to {folder}/z.txt",
        f"would keep, without --prune, c: {folder}/deep/c.txt is gone",
    ]
    assert "would fail" in run.err
    assert run.code == 7
    assert Library(home).names() == ("a", "b", "c")
    for line in invoke("ingest", str(folder), "--sync", "--dry-run", "--jsonl").out.splitlines():
        assert checked("followed", line)["dry_run"]


def test_what_git_ignores_is_read_only_when_that_is_asked(invoke: Invoke, folder: Path, home: Path) -> None:
    (folder / ".gitignore").write_text("b.txt\n", encoding="utf-8")
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "d.txt").write_text("Lot four holds rope.", encoding="utf-8")
    invoke("ingest", str(folder), "--sync")
    assert Library(home).names() == ("a", "c")
    invoke("ingest", str(folder), "--sync", "--no-ignore")
    assert Library(home).names() == ("a", "b", "c", "d")


def test_a_file_that_cannot_be_read_stops_no_other(invoke: Invoke, folder: Path, home: Path) -> None:
    (folder / "empty.txt").write_text("", encoding="utf-8")
    run = invoke("ingest", str(folder), "--sync")

    assert run.code == 7
    assert "empty.txt is empty" in run.err
    assert Library(home).names() == ("a", "b", "c")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--prune",), "belong to --sync"),
        (("--sync", "--prune"), "give --yes too"),
        (("--watch", "--dry-run"), "leave one of them out"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    invoke: Invoke, folder: Path, options: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    run = invoke("ingest", str(folder), *options)

    assert run.code == 2
    assert message in run.err


def test_only_folders_can_be_followed(invoke: Invoke, folder: Path) -> None:
    run = invoke("ingest", str(folder / "a.txt"), "--sync")

    assert run.code == 2
    assert "give folders" in run.err


def change_something(folder: Path, draw: random.Random, number: int) -> None:
    files = sorted(folder.rglob("*.txt"))
    chosen = draw.choice(files) if files else folder / "none.txt"
    match draw.randrange(4) if files else 0:
        case 0:
            (folder / f"new-{number}.txt").write_text(f"Lot {number} holds rope.", encoding="utf-8")
        case 1:
            chosen.write_text(f"Lot {number} holds tar.", encoding="utf-8")
        case 2:
            chosen.rename(chosen.with_name(f"moved-{number}.txt"))
        case 3:
            chosen.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_after_any_changes_the_library_equals_the_folder(
    invoke: Invoke, folder: Path, home: Path, seed: int
) -> None:
    draw = random.Random(seed)
    for number in range(30):
        change_something(folder, draw, number)
        if number % 5 == 4:
            assert invoke("ingest", str(folder), "--sync", "--prune", "--yes").code == 0
            assert in_step(folder, home)


def test_each_change_that_is_noticed_is_followed(
    invoke: Invoke, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a clock: what notices the changes is the test."""
    write = partial(Path.write_text, encoding="utf-8")
    new, moved = folder / "d.txt", folder / "deeper"
    changes: list[tuple[Callable[[], object], set[Path]]] = [
        (lambda: None, set()),  # the first look, at all that is there
        (lambda: write(new, "Lot four holds rope."), {new}),
        (lambda: write(new, "Lot four holds tar."), {new}),
        (lambda: (folder / "deep").rename(moved), {folder / "deep", moved}),
        (lambda: new.unlink(), {new}),
    ]

    def watch(*_: object, **__: object) -> Iterator[set[tuple[int, str]]]:
        for change, touched in changes:
            change()
            yield {(1, str(path)) for path in touched}
            assert in_step(folder, home)
            yield set()  # nothing happened for a while
        raise KeyboardInterrupt

    monkeypatch.setattr(watchfiles, "watch", watch)
    run = invoke("ingest", str(folder), "--watch", "--prune", "--yes")
    assert (run.code, run.out) == (0, "")
    assert f"watching {folder}; stop with Ctrl-C" in run.err
    assert f"c: moved to {moved}/c.txt" in run.err


def wait_for(holds: Callable[[], bool], seconds: float) -> float:
    """How long it took until something holds."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds
        time.sleep(0.05)
    return time.monotonic() - started


@pytest.mark.slow
def test_watching_notices_each_change_and_ends_with_ctrl_c(folder: Path, home: Path, tmp_path: Path) -> None:
    models = save_tiny_reader(tiny_reader(CONFIG), tmp_path / "models")
    watching = start("ingest", str(folder), "--watch", "--prune", "--yes", home=home, models=models)
    try:
        wait_for(lambda: home.exists() and in_step(folder, home), 60)
        seconds = []
        for change in (
            lambda: (folder / "d.txt").write_text("Lot four holds rope.", encoding="utf-8"),
            lambda: (folder / "d.txt").write_text("Lot four holds tar.", encoding="utf-8"),
            lambda: (folder / "d.txt").rename(folder / "deep" / "e.txt"),
            lambda: (folder / "deep" / "e.txt").unlink(),
        ):
            change()
            seconds.append(wait_for(lambda: in_step(folder, home), 20))
        assert min(seconds) < 2  # where the machine has other work, not each of them is
    finally:
        watching.send_signal(signal.SIGINT)
        _, error = watching.communicate(timeout=30)
    assert watching.returncode == 0, error
    assert "Traceback" not in error
