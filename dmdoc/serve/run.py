"""Listens on an address and on a Unix socket, and ends gracefully: answers in progress are finished first."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from dmdoc.errors import DmdocError, UsageError
from dmdoc.serve.guard import is_loopback

GRACE_SECONDS = 30

UNCOUNTED = ("/health", "/metrics")
"""What programs ask again and again, although nobody uses the server."""


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


@contextmanager
def telling_of_loading(sockets: Sequence[socket.socket], address: str) -> Iterator[None]:
    """Inside, every request is told that the model loads. What tells it has ended afterwards, with all its threads."""
    status = {"status": "loading", "process": os.getpid(), "address": address}
    app = JSONResponse(status, 503, headers={"Retry-After": "1"})
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    copies = [each.dup() for each in sockets]  # which it closes
    thread = threading.Thread(target=server.run, kwargs={"sockets": copies}, name="loading")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


class Activity:
    """An application, and how long nobody has asked it, nor had a command carried out."""

    def __init__(self, app: ASGIApp, commands: Path, busy: Callable[[], bool]) -> None:
        """
        Args:
            commands: the socket that is touched when a command comes in.
            busy: whether there is other work.
        """
        self._app, self._commands, self._busy = app, commands, busy
        self._asking, self._last = 0, time.time()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNCOUNTED:
            await self._app(scope, receive, send)
            return
        self._asking += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._asking -= 1
            self._last = time.time()

    @property
    def idle_seconds(self) -> float:
        last = self._last
        with suppress(OSError):
            last = max(last, self._commands.stat().st_mtime)
        return 0.0 if self._asking or self._busy() else time.time() - last


def run(app: Activity, sockets: list[socket.socket], *, idle: float | None = None) -> None:
    """Serve until SIGINT or SIGTERM, or until nobody has asked for so many seconds."""

    async def look() -> None:
        if idle is not None and app.idle_seconds > idle:
            server.should_exit = True

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE_SECONDS,
        callback_notify=look,
        timeout_notify=1,
    )
    server = uvicorn.Server(config)
    for number in (signal.SIGINT, signal.SIGTERM):
        # When it has ended gracefully, uvicorn sends itself the signal again, which would end what comes after it.
        signal.signal(number, lambda *_: None)
    server.run(sockets=sockets)
