"""A server in this process, on a port of its own, with a tiny reader and two documents."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from command_line import CONFIG
from judges_of_tests import always
from tiny import tiny_reader

from dmdoc.cli.library import record
from dmdoc.cli.serve import answer_record_of
from dmdoc.document import Document
from dmdoc.ingest.single import ingest
from dmdoc.library.library import Library
from dmdoc.model.reader import Reader
from dmdoc.serve.app import Server, Settings
from dmdoc.serve.engine import Engine
from dmdoc.serve.run import bind

TEXTS = {
    "lots": "Lot seven holds salt. Lot eight holds brine. " * 6,
    "barges": "The barge Sorrel was built in 1931. Her captain is Anna. " * 5,
}

Serve = Callable[..., httpx2.Client]
"""The fixture `serve`: options of Settings and of Engine → a client of a new server."""


@pytest.fixture(scope="session")
def served_reader() -> Reader:
    return replace(tiny_reader(CONFIG), judges={"spans": always("sure")})


@pytest.fixture
def served(tmp_path: Path, served_reader: Reader) -> Library:
    library = Library(tmp_path / "library")
    for name, text in TEXTS.items():
        ingest(Document(name, f"/{name}.txt", (text,)), served_reader, library)
    return library


@pytest.fixture
def serve(served: Library, served_reader: Reader) -> Iterator[Serve]:
    running: list[tuple[uvicorn.Server, threading.Thread, httpx2.Client]] = []

    def start(*, open_reader: Any = None, most_waiting: int = 64, **settings: Any) -> httpx2.Client:
        engine = Engine(served, open_reader or (lambda _: served_reader), most_waiting=most_waiting)
        app = Server(engine, Settings(answer_record_of, record, **settings)).app()
        listening = bind("127.0.0.1", 0)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        client = httpx2.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60)
        running.append((server, thread, client))
        if open_reader is None:
            until(lambda: client.get("/health").status_code == 200)
        return client

    yield start
    for server, thread, client in running:
        client.close()
        server.should_exit = True
        thread.join()


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something; fail if it never comes."""
    ends = time.monotonic() + seconds
    while True:
        try:
            if true():
                return
        except httpx2.TransportError:
            pass
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.02)
