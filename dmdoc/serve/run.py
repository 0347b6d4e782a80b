"""Listens on an address and on a Unix socket, and ends gracefully: answers in progress are finished first."""

import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from dmdoc.errors import DmdocError, UsageError
from dmdoc.serve.guard import is_loopback

GRACE_SECONDS = 30


def check_key(host: str, key: str | None) -> None:
    """
    Raises:
        UsageError: who is elsewhere could ask without a key.
    """
    if key is None and not is_loopback(host):
        raise UsageError(f"whoever reaches {host} could read every document; give --api-key too")
    if key is not None and len(key) < 16:
        raise UsageError("an API key must have 16 characters or more; `openssl rand -hex 32` makes one")


def bind(host: str, port: int) -> socket.socket:
    """
    Raises:
        DmdocError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise DmdocError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another --port"
        ) from error
    return listening


def bind_unix(path: Path) -> socket.socket:
    """A socket that only this user reaches, in place of one that nobody listens on any more.

    Raises:
        DmdocError: somebody does, or the place cannot be had.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if answers(path):
        raise DmdocError(f"a server listens on {path} already; `dmdoc serve --stop` ends it")
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        listening.bind(str(path))
    except OSError as error:
        listening.close()
        raise DmdocError(f"cannot listen on {path}: {error.strerror or error}") from error
    finally:
        os.umask(before)
    return listening


def answers(path: Path) -> bool:
    """Whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as trying, suppress(OSError):
        trying.connect(str(path))
        return True
    return False


def run(app: Starlette, sockets: list[socket.socket]) -> None:
    """Serve until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        # When it has ended gracefully, uvicorn sends itself the signal again, which would end what comes after it.
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=sockets)
