"""A small web server on this machine, whose pages a test writes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What the server answers."""

    data: bytes = b""
    type: str = "text/plain"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    slow: bool = False
    """Send a byte now and then, without end."""


@dataclass
class Site:
    """The pages of a server by their paths, and what was asked of it."""

    address: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers of each request."""

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"


@contextmanager
def running() -> Iterator[Site]:
    """A server for as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            page = site.pages.get(self.path, Page(status=404))
            etag = page.headers.get("ETag")
            fresh = etag is not None and self.headers.get("If-None-Match") == etag
            self.send_response(304 if fresh else page.status)
            for name, value in page.headers.items():
                self.send_header(name, value)
            if not fresh:
                self.send_header("Content-Type", page.type)
            size = 1 << 40 if page.slow else len(page.data)
            self.send_header("Content-Length", "0" if fresh else str(size))
            self.end_headers()
            if not fresh:
                self.wfile.write(page.data)
            while page.slow and not stopping.wait(0.05):
                self.wfile.write(b"a")

        def log_message(self, format: str, *args: object) -> None:
            pass

    stopping = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]  # it hung up
    site = Site(f"127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
