"""`ask` with a running `dmdoc serve` and without: same output, same exit codes. Real processes, a tiny model."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest
from command_line import CONFIG, TEXT
from serving import until
from tiny import save_tiny_reader, tiny_reader

from dmdoc.document import read_document
from dmdoc.ingest.single import ingest
from dmdoc.library.library import Library
from dmdoc.model.reader import open_reader
from dmdoc.serve import handover
from dmdoc.serve.run import answers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sessions")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, a home with a document, and room for sockets, whose paths must be short."""
    folder = tmp_path_factory.mktemp("s")
    model, adapter = save_tiny_reader(tiny_reader(CONFIG), folder)
    lots = folder / "lots.txt"
    lots.write_text(TEXT, encoding="utf-8")
    reader = open_reader(str(model), str(adapter), cache=folder)
    ingest(read_document(str(lots)), reader, Library(folder / "home"))
    return folder


def environment(place: Path) -> dict[str, str]:
    own = {
        name: str(place / name.lower()) for name in ("HOME", "MODEL", "ADAPTER", "RUNTIME", "CONFIG", "CACHE")
    }
    return {**os.environ, **{f"DMDOC_{name}": value for name, value in own.items()}, "OMP_NUM_THREADS": "1"}


def dmdoc(place: Path, *arguments: str, said: str = "") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "dmdoc", *arguments]
    return subprocess.run(
        command, env=environment(place), input=said, capture_output=True, text=True, cwd=place
    )


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "dmdoc", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment(place), stderr=subprocess.PIPE, text=True) as running:
        until(lambda: answers(place / "runtime" / handover.SOCKET), 120)
        yield running
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0


def without_seconds(run: "subprocess.CompletedProcess[str]") -> tuple[int, object, str]:
    out: object = run.stdout
    if run.stdout.startswith("{"):
        out = {key: value for key, value in json.loads(run.stdout).items() if key != "seconds"}
    return run.returncode, out, run.stderr


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("ask", "What does lot seven hold?", "--max-tokens", "5"), "", 0),
        (("ask", "-", "--max-tokens", "5", "--json"), "What does lot eight hold?", 0),
        (("ask", "What?", "-d", "nobody"), "", 3),
        (("ask", "--max-tokens", "0", "What?"), "", 2),
        (("chat", "lots"), "What does lot seven hold?\n", 0),
    ],
)
def test_a_server_changes_nothing_that_is_seen(
    place: Path, server: "subprocess.Popen[str]", arguments: tuple[str, ...], said: str, code: int
) -> None:
    own = dmdoc(place, "--no-server", *arguments, said=said)
    served = dmdoc(place, *arguments, said=said)
    assert without_seconds(served) == without_seconds(own)
    assert served.returncode == code


def who_reads(pipe: IO[str], server: int) -> list[int]:
    """The processes that a server has started for commands and whose standard input is a pipe."""
    (commands,) = _children(server)
    own, found = os.fstat(pipe.fileno()).st_ino, []
    for each in _children(commands):
        with suppress(OSError):  # it has just ended
            if os.stat(f"/proc/{each}/fd/0").st_ino == own:
                found.append(each)
    return found


def _children(process: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks Linux for the processes of the server")
def test_ctrl_c_ends_a_command_that_the_server_does(place: Path, server: "subprocess.Popen[str]") -> None:
    """It waits for its question when it is interrupted."""
    with subprocess.Popen(
        [sys.executable, "-m", "dmdoc", "ask", "-"],
        env=environment(place),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as asking:
        pipe = asking.stdin
        assert pipe is not None
        until(lambda: len(who_reads(pipe, server.pid)) == 1)
        asking.send_signal(signal.SIGINT)
        assert asking.wait(60) == 130
        assert asking.stderr is not None and asking.stderr.read() == "interrupted\n"
        until(lambda: not who_reads(pipe, server.pid))


def test_a_command_whose_asker_went_away_does_not_begin(place: Path, server: "subprocess.Popen[str]") -> None:
    (place / "gone.txt").write_text("Lot nine holds tar.", encoding="utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(place / "runtime" / handover.SOCKET))
        with open(os.devnull, "r+b") as nothing:
            socket.send_fds(connection, [b"\0"], [nothing.fileno()] * 3)
        connection.sendall(handover.request(["ingest", str(place / "gone.txt")], environment(place)))
        with connection.makefile("rb") as answers:
            started = int(answers.readline())
    until(lambda: not Path(f"/proc/{started}").exists())
    assert "gone" not in Library(place / "home").names()


INTERRUPTED = """
import os, socket
from dmdoc.serve import handover, sessions
ours, theirs = socket.socketpair()
socket.send_fds(ours, [bytes(1)], [0, 1, 2])
ours.sendall(handover.request(["ask", "What?"], os.environ) + handover.GO)
def interrupted():
    raise KeyboardInterrupt
sessions._carry_out(theirs, interrupted, os.environ, 1)
"""


def test_an_interrupt_before_the_command_line_looks_out_for_it_is_told() -> None:
    run = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (130, "interrupted\n")


PROGRAM = """
import sys
from dmdoc import __main__
sys.argv = ["dmdoc", "ask", "What does lot seven hold?", "--max-tokens", "2", "--quiet"]
try:
    __main__.main()
finally:
    heavy = [name for name in ("torch", "typer", "rich", "numpy", "jinja2") if name in sys.modules]
    print("imported", heavy)
"""


def test_who_hands_over_imports_nothing_large(place: Path, server: "subprocess.Popen[str]") -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment(place), capture_output=True, text=True
    )
    assert run.stdout.endswith("imported []\n"), run.stdout + run.stderr


REHEARSED = """
import json, os, sys
from dmdoc.cli import main
from dmdoc.cli.options import Machine
from dmdoc.cli.rehearsal import rehearse
kept, folder = dict(os.environ), os.getcwd()
codes = rehearse(Machine(os.environ["DMDOC_MODEL"], os.environ["DMDOC_ADAPTER"]), main)
assert (kept, folder) == (dict(os.environ), os.getcwd())
print(json.dumps([codes, len(os.listdir("/proc/self/task"))]))
known = set(sys.modules)
for arguments in (["ask", "What is in lot seven?"], ["ingest", "lots.txt", "--name", "again"]):
    sys.argv = ["dmdoc", *arguments, "--quiet"]
    try:
        main()
    except SystemExit as left:
        assert left.code == 0
print(json.dumps(sorted(name for name in set(sys.modules) - known if sys.modules[name].__file__)))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks Linux how many threads there are")
def test_after_a_rehearsal_commands_import_nothing_and_nothing_of_it_is_left(place: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", REHEARSED],
        env=environment(place),
        capture_output=True,
        text=True,
        cwd=place,
        check=True,
    )
    rehearsed, *_, imported = run.stdout.splitlines()
    assert json.loads(rehearsed) == [[0, 0], 1]  # a copy of a process with more threads may hang
    assert json.loads(imported) == []
    assert run.stderr == ""


def test_another_version_does_its_own_work(
    place: Path,
    server: "subprocess.Popen[str]",
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(handover, "__version__", "0.0.0")
    with capfd.disabled():
        assert handover.hand_over(["ask", "What?"], environment(place)) is None


def test_a_folder_is_kept_in_step_by_the_server(place: Path, server: "subprocess.Popen[str]") -> None:
    papers, library = place / "papers", Library(place / "home")
    papers.mkdir()
    others = set(library.names())  # other tests save beside it
    (papers / "a.txt").write_text("Lot one holds rope.", encoding="utf-8")
    assert dmdoc(place, "ingest", str(papers), "--sync").returncode == 0
    assert set(library.names()) == {"a", *others}
    (papers / "a.txt").rename(papers / "b.txt")
    command = [sys.executable, "-m", "dmdoc", "ingest", str(papers), "--watch", "--prune", "--yes"]
    with subprocess.Popen(command, env=environment(place), stderr=subprocess.PIPE, text=True) as watching:
        until(lambda: set(library.names()) == {"b", *others}, 60)
        (papers / "c.txt").write_text("Lot three holds tar.", encoding="utf-8")
        until(lambda: set(library.names()) == {"b", "c", *others}, 60)
        (papers / "b.txt").unlink()
        until(lambda: set(library.names()) == {"c", *others}, 60)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(60) == 0


def test_a_server_that_is_killed_while_it_reads_loses_one_batch_at_most(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    runtime = tmp_path_factory.mktemp("r")
    own = {**environment(place), "DMDOC_RUNTIME": str(runtime)}
    (place / "long.txt").write_text("Lot seven holds salt. " * 4000, encoding="utf-8")
    reading = [sys.executable, "-m", "dmdoc", "ingest", str(place / "long.txt"), "--json"]
    serving = [sys.executable, "-m", "dmdoc", "serve", "--port", "0", "--quiet"]
    with subprocess.Popen(serving, env=own, start_new_session=True) as killed:
        until(lambda: answers(runtime / handover.SOCKET), 120)
        with subprocess.Popen(reading, env=own, stderr=subprocess.PIPE, text=True) as asking:
            assert asking.stderr is not None
            reached = next(done for line in asking.stderr if (done := sections_in(line)) > 0)
            os.killpg(killed.pid, signal.SIGKILL)
            told = asking.stderr.read()
            assert asking.wait(60) == 1 and "the server ended this command" in told
    reached = max([reached, *map(sections_in, told.splitlines())])
    again = subprocess.run(reading, env=own, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["status"] == "resumed"
    assert sections_in(again.stderr.splitlines()[0]) >= reached  # a batch is told of when it is saved


def sections_in(line: str) -> int:
    """How many sections are saved, in a line of progress; -1 in any other."""
    found = re.search(r"section (\d+)/", line)
    return int(found[1]) if found else -1


def test_other_commands_and_missing_servers_are_left_alone(tmp_path: Path) -> None:
    for arguments in ([], ["ls"], ["ask", "What?"]):
        assert handover.hand_over(arguments, {"DMDOC_RUNTIME": str(tmp_path)}) is None
