"""The server that runs beside the commands: started in the background, asked how it is, ended, and made known."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmdoc import console
from dmdoc.errors import DmdocError, UsageError

IDLE = "30m"
"""After which a server in the background ends, unless told."""

SLOW_SECONDS = 1.5
"""Of a processor; a command that took more would have been faster with a server."""

TOLD = ".told-of-serve"
"""A file in the home: the user knows of the server."""


def idle_seconds(text: str) -> float:
    """
    Raises:
        UsageError: not a time such as 30m.
    """
    found = re.fullmatch(r"(\d{1,6})([smh])", text)
    if found is None or int(found[1]) == 0:
        raise UsageError(f"--idle takes a time such as 90s, 30m or 2h, got {text!r}")
    return int(found[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[found[2]]


def health(local: Path) -> dict[str, Any] | None:
    """What the server that listens on a Unix socket says of itself; None where there is none."""
    import httpx2

    try:
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(local)), timeout=10) as client:
            found: dict[str, Any] = client.get("http://localhost/health").json()
            return found
    except (httpx2.TransportError, ValueError):
        return None


def running(local: Path) -> dict[str, Any]:
    """
    Raises:
        DmdocError: no server runs.
    """
    found = health(local)
    if found is None:
        raise DmdocError("no server runs; `dmdoc serve --background` starts one")
    return found


def start(arguments: Sequence[str], local: Path, log: Path) -> dict[str, Any]:
    """Start a server that outlives this process, and wait until it answers.

    Args:
        arguments: of `dmdoc serve`.
        local: the Unix socket that it will listen on.
        log: gets what it says.

    Raises:
        DmdocError: one runs already, or it ended.
    """
    if health(local) is not None:
        raise DmdocError("a server runs already; `dmdoc serve --stop` ends it")
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "dmdoc", "serve", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # Ctrl-C in this terminal is not meant for it
        )
    while (found := health(local)) is None or found["status"] == "loading":
        if process.poll() is not None:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last = said[-1].removeprefix("error: ") if said else "it ended without a word"
            raise DmdocError(f"the server did not start: {last}")
        time.sleep(0.1)
    return found


def stop(local: Path, seconds: float) -> None:
    """End the server; answers in progress are finished first.

    Raises:
        DmdocError: none runs, or it has not ended after so many seconds.
    """
    process = int(running(local)["process"])
    os.kill(process, signal.SIGTERM)
    ends = time.monotonic() + seconds
    while local.exists():  # the last thing that it removes
        if time.monotonic() > ends:
            raise DmdocError(f"process {process} has not ended yet; `kill -9 {process}` ends it at once")
        time.sleep(0.05)


def mention(home: Path) -> None:
    """After a command that took long on a terminal say, once, what would have made it faster."""
    told = home / TOLD
    if time.process_time() > SLOW_SECONDS and console.is_terminal() and not told.exists():
        console.note(
            "most of that time went into loading the model; `dmdoc serve --background` keeps it loaded, "
            "and this command then uses it (said once)"
        )
        told.touch(mode=0o600)
