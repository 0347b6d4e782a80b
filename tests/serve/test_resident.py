"""A server that stays: in the background, until it is told to end or nobody asks it any more."""

import asyncio
import os
import socket
import time
from pathlib import Path

import pytest
from test_sessions import dmdoc, place  # noqa: F401 (a fixture)

from dmdoc import console
from dmdoc.cli import resident
from dmdoc.errors import UsageError
from dmdoc.serve.handover import hand_over
from dmdoc.serve.run import Activity

pytestmark = pytest.mark.slow


def test_in_the_background_it_is_started_asked_how_it_is_and_ended(place: Path) -> None:  # noqa: F811
    none = dmdoc(place, "serve", "--status")
    assert (none.returncode, none.stderr.count("\n")) == (1, 1) and "no server runs" in none.stderr
    started = dmdoc(place, "serve", "--background", "--port", "0")
    assert (started.returncode, started.stdout) == (0, ""), started.stderr
    try:
        assert "status ready" in started.stderr and "http://127.0.0.1:" in started.stderr
        assert dmdoc(place, "serve", "--status").stderr == started.stderr
        again = dmdoc(place, "serve", "--background")
        assert again.returncode == 1 and "runs already" in again.stderr
    finally:
        stopped = dmdoc(place, "serve", "--stop")
    assert (stopped.returncode, stopped.stderr) == (0, "the server has ended\n")
    assert not (place / "runtime" / "http.sock").exists()


def test_one_that_cannot_start_says_why(place: Path) -> None:  # noqa: F811
    run = dmdoc(place, "serve", "--background", "--host", "0.0.0.0")
    assert run.returncode == 1 and "give --api-key too" in run.stderr, run.stderr


def test_when_nobody_asks_it_ends_by_itself(place: Path) -> None:  # noqa: F811
    run = dmdoc(place, "serve", "--port", "0", "--idle", "1s")
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("text", ["", "30", "m", "0m", "-1m", "1.5h", "30min", "1d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="30m"):
        resident.idle_seconds(text)


def test_a_time_is_in_seconds_minutes_or_hours() -> None:
    assert [resident.idle_seconds(text) for text in ("90s", "30m", "2h")] == [90, 1800, 7200]


def test_requests_commands_and_other_work_count_as_being_asked(tmp_path: Path) -> None:
    inside: list[float] = []
    busy, long_ago = [False], time.time() - 1000
    commands = tmp_path / "commands.sock"

    async def app(scope: object, receive: object, send: object) -> None:
        inside.append(activity.idle_seconds)

    async def nothing() -> object:
        return None

    activity = Activity(app, commands, lambda: busy[0])
    activity._last = long_ago
    for path in ("/health", "/metrics"):
        asyncio.run(activity({"type": "http", "path": path}, nothing, nothing))  # type: ignore[arg-type]
    assert activity.idle_seconds > 900
    commands.touch()
    assert activity.idle_seconds < 900
    os.utime(commands, (long_ago, long_ago))
    busy[0] = True
    assert activity.idle_seconds == 0
    busy[0] = False
    asyncio.run(activity({"type": "http", "path": "/api/ask"}, nothing, nothing))  # type: ignore[arg-type]
    assert inside[-1] == 0 and activity.idle_seconds < 900


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["ask", "Q"], True),
        (["ask", "--", "--no-server"], True),  # which is the question
        (["--no-server", "ask", "Q"], False),
        (["ask", "--no-server", "Q"], False),
        (["ingest", "a.txt", "--no-server"], False),
    ],
)
def test_no_server_may_stand_wherever_options_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], asked: bool
) -> None:
    tried = []

    class Recording(socket.socket):
        def connect(self, address: object) -> None:
            tried.append(address)
            raise ConnectionRefusedError

    monkeypatch.setattr(socket, "socket", Recording)
    assert hand_over(arguments, {"DMDOC_RUNTIME": str(tmp_path)}) is None
    assert bool(tried) == asked


def test_a_slow_answer_on_a_terminal_tells_of_the_server_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    took, terminal = [9.0], [False]
    monkeypatch.setattr(time, "process_time", lambda: took[0])
    monkeypatch.setattr(console, "is_terminal", lambda: terminal[0])
    resident.mention(tmp_path)
    terminal[0], took[0] = True, 0.2
    resident.mention(tmp_path)
    assert capsys.readouterr().err == ""
    took[0] = 9.0
    resident.mention(tmp_path)
    assert "dmdoc serve --background" in capsys.readouterr().err
    resident.mention(tmp_path)
    assert capsys.readouterr().err == ""
