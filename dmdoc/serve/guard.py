"""Who may ask: a key where one is set, else only pages and programs of this machine; and how much they may send."""

import asyncio
import hmac
import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dmdoc.errors import DmdocError, UsageError

JSON_BYTES = 2**20
"""The most of a request but for a file."""

PIECE_SECONDS = 20.0
"""The longest silence in the middle of a request."""

OPEN_PATHS = ("/health", "/", "/page.js", "/docs", "/openapi.json")
"""Asked without a key: whether it runs, and the pages, which hold nothing of any document."""


class Refused(DmdocError):
    """A request that is not answered.

    `status` is that of HTTP, `code` that of OpenAI's form.
    """

    def __init__(self, message: str, status: int, code: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Guard:
    """Refuses what has no key, a foreign Host (a name that somebody made point here) or a foreign page's Origin."""

    def __init__(self, app: ASGIApp, *, key: str | None, refuse: Callable[[Exception], Response]) -> None:
        self._app, self._key, self._refuse = app, key, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                check(Request(scope), self._key)
            except Refused as refused:
                await self._refuse(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def check(request: Request, key: str | None) -> None:
    """
    Raises:
        Refused: the request is not answered.
    """
    _check_origin(request.headers)
    if key is None:
        if not is_loopback(_host_of(f"//{request.headers.get('host', '')}")):
            raise Refused(
                "this server answers to localhost alone, not to the Host of this request", 403, "host"
            )
        return
    if request.url.path in OPEN_PATHS:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), key.encode()):
        raise Refused(
            "the API key is missing or wrong; send Authorization: Bearer KEY", 401, "invalid_api_key"
        )


def _check_origin(headers: Mapping[str, str]) -> None:
    """A browser says which page asks; only our own may."""
    origin = headers.get("origin")
    if origin is not None and (not _host_of(origin) or urlsplit(origin).netloc != headers.get("host")):
        raise Refused("a page from elsewhere may not ask this server", 403, "origin")


def _host_of(address: str) -> str:
    """The host in an address; "" where there is none, or one with a user's name before it."""
    try:
        found = urlsplit(address)
        return "" if "@" in found.netloc else found.hostname or ""
    except ValueError:  # half an IPv6 address, say
        return ""


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, whatever a name server says."""
    if host in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def body_of(request: Request, most: int) -> bytes:
    """
    Raises:
        Refused: it is larger, or nothing more came of it for PIECE_SECONDS.
    """
    too_large = Refused(f"the request is larger than {most:,} bytes; send less", 413, "too_large")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise too_large
    found = bytearray()
    try:
        async with asyncio.timeout(PIECE_SECONDS) as clock:
            async for piece in request.stream():
                found += piece
                if len(found) > most:
                    raise too_large
                clock.reschedule(asyncio.get_running_loop().time() + PIECE_SECONDS)
    except TimeoutError as error:
        raise Refused("the request came too slowly; send it again", 408, "too_slow") from error
    except ClientDisconnect as error:
        raise Refused("the request ended before it was whole", 400, "cut_off") from error
    return bytes(found)


async def json_of(request: Request) -> Any:
    """
    Raises:
        Refused: it is larger than JSON_BYTES.
        UsageError: it is not JSON.
    """
    try:
        body = json.loads(await body_of(request, JSON_BYTES))
        json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair could not be answered
    except (ValueError, RecursionError) as error:
        raise UsageError("the request is not JSON in UTF-8") from error
    return body


def allowed_file(given: str, roots: Sequence[Path]) -> Path:
    """The file that somebody else names, without links: what is read is what was allowed, and never a URL or a stream.

    Raises:
        UsageError: it cannot be the path of a file.
        Refused: it is in none of the folders.
    """
    try:
        path = Path(given).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: symbolic links in a circle
        raise UsageError(f"path cannot be that of a file: {error}") from error
    if not any(path.is_relative_to(root.resolve()) for root in roots):
        raise Refused("no file may be read there; start the server with --root FOLDER", 403, "path")
    return path
