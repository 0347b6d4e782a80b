"""Gives a command to a running server, where there is one: its output goes to this terminal, its exit code is ours.

Imports nothing that takes time, for it runs before anything else does.
"""

import array
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from dmdoc import __version__
from dmdoc.errors import UsageError
from dmdoc.settings.folders import runtime_folder

COMMANDS = ("ask", "chat", "ingest")
"""What a server does for others: what needs a model."""

NOT_HERE = "--no-server"
"""The option of a command that is to be done by the process that it was given to."""

SOCKET = "commands.sock"
"""Its name in the runtime folder."""

FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGWINCH")
"""Signals that mean the command and not who waits for it."""

GO = b"\n"
"""Who asks passes signals on from now on, so that the command may begin."""

LARGEST = 4 * 2**20
"""Bytes of a command with its environment."""


def identity() -> list[str]:
    """What both sides must agree in: the version, the interpreter and the code."""
    return [__version__, sys.executable, str(Path(__file__).resolve().parent)]


def hand_over(arguments: Sequence[str], environ: Mapping[str, str]) -> int | None:
    """Let the user's running server do a command; its exit code, or None where this process must do it."""
    if not arguments or arguments[0] not in COMMANDS or not hasattr(socket, "send_fds"):
        return None
    if NOT_HERE in arguments[: arguments.index("--") if "--" in arguments else None]:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(runtime_folder(environ) / SOCKET))
        except (OSError, UsageError):  # none listens, or the folder cannot be one
            return None
        try:
            socket.send_fds(
                connection, [b"\0"], [stream.fileno() for stream in (sys.stdin, sys.stdout, sys.stderr)]
            )
            connection.sendall(request(arguments, environ))
            with connection.makefile("rb") as answers:
                started = answers.readline()
                if not started:
                    return None  # refused: another version, say
                _forward_signals(int(started))
                connection.sendall(GO)  # not before: an interrupt until here ends both sides
                ended = answers.readline()
        except (OSError, ValueError):
            return None
    if not ended:
        sys.stderr.write("error: the server ended this command; run it again, or with --no-server\n")
        return 1
    return int(ended)


def request(arguments: Sequence[str], environ: Mapping[str, str]) -> bytes:
    """A command as it is sent, its streams beside it: what `receive` reads."""
    command = {
        "identity": identity(),
        "arguments": list(arguments),
        "folder": os.getcwd(),
        "environment": dict(environ),
        "streams": [[stream.encoding, stream.errors] for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "umask": _umask(),
    }
    content = json.dumps(command).encode()  # lone surrogates of undecodable bytes are escaped
    return array.array("Q", [len(content)]).tobytes() + content


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _forward_signals(process: int) -> None:
    def forward(number: int, _: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(process, number)

    for name in FORWARDED:
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, forward)


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """A command and its three streams.

    Raises:
        ValueError: it is none.
    """
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    try:
        length = array.array("Q", _exactly(connection, 8))[0]
        if length > LARGEST or len(streams) != 3:
            raise ValueError("not a command")
        request = json.loads(_exactly(connection, length))
        if request["identity"] != identity():
            raise ValueError("a command of another version")
    except (ValueError, KeyError, TypeError) as error:
        for stream in streams:
            os.close(stream)
        raise ValueError(str(error)) from error
    return request, streams


def _exactly(connection: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        piece = connection.recv(min(length - len(found), 2**16))
        if not piece:
            raise ValueError("it ends too early")
        found += piece
    return bytes(found)
