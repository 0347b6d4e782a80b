"""Runs the commands of others, each in a copy of this process that has the model loaded already (`fork`).

Whoever asks gives its terminal, folder and environment, so that output, exit code and Ctrl-C are those of a process of
its own. This process itself starts no thread: a copy of one that did may hang.
"""

import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dmdoc.serve.handover import FORWARDED, GO, SOCKET, receive
from dmdoc.serve.run import bind_unix

RECEIVE_SECONDS = 5.0
"""In which a command has to arrive."""


def serve_commands(
    folder: Path,
    prepare: Callable[[], None],
    run: Callable[[], None],
    *,
    environ: MutableMapping[str, str],
    alive: int,
    threads: int,
) -> None:
    """Listen in `folder` until the pipe `alive` is closed.

    Args:
        prepare: brings into memory what commands need, or raises.
        run: the command line, as of sys.argv.
        environ: of this process; a copy of it gets that of whoever asks.
        threads: that a command computes with, unless its environment says otherwise.
    """
    prepare()
    gc.collect()
    gc.freeze()  # what is there stays, so that looking for garbage copies no memory
    with bind_unix(folder / SOCKET) as listening:
        listening.listen(64)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
        while True:
            readable, _, _ = select.select([listening.fileno(), alive], [], [])
            if alive in readable:
                break
            connection, _ = listening.accept()
            os.utime(folder / SOCKET)  # when it was asked last
            if os.fork() == 0:
                listening.close()
                os.close(alive)
                _carry_out(connection, run, environ, threads)
            connection.close()
    (folder / SOCKET).unlink(missing_ok=True)


def _carry_out(
    connection: socket.socket, run: Callable[[], None], environ: MutableMapping[str, str], threads: int
) -> None:
    """In the copy: become the command, and end as it does."""
    code = 1
    try:
        connection.settimeout(RECEIVE_SECONDS)
        request, streams = receive(connection)
        connection.settimeout(None)
        _become(request, streams)
        environ.clear()
        environ.update(request["environment"])
        time.tzset()
        _take_threads(environ.get("OMP_NUM_THREADS", ""), threads)
        try:
            connection.sendall(f"{os.getpid()}\n".encode())
            if connection.recv(1) != GO:
                raise ValueError("who asked went away")
            run()
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        except KeyboardInterrupt:  # before the command line looks out for it
            sys.stderr.write("interrupted\n")
            code = 130
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        with suppress(OSError):
            connection.sendall(f"{code}\n".encode())
    except (ValueError, OSError):
        pass  # not a command of ours: who sent it sees that the connection ends
    finally:
        os._exit(code)


def _become(request: dict[str, Any], streams: list[int]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for name in FORWARDED:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    (reads, writes, complains) = request["streams"]
    sys.stdin = open(0, encoding=reads[0], errors=reads[1], closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding=writes[0], errors=writes[1], closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding=complains[0], errors=complains[1], closefd=False)  # noqa: SIM115
    if sys.stdout.isatty():
        sys.stdout.reconfigure(line_buffering=True)
    os.umask(request["umask"])
    os.chdir(request["folder"])
    sys.argv = ["dmdoc", *request["arguments"]]


def _take_threads(wanted: str, otherwise: int) -> None:
    import torch

    torch.set_num_threads(int(wanted) if wanted.isdecimal() and int(wanted) > 0 else otherwise)
