"""What is at a URL, over HTTP: only from addresses that anybody can reach, unless the user says otherwise.

The address that is checked is the one that is connected to, at every redirect: what a name stands for may change
between two look-ups. No proxy of the environment is used, which would look the names up itself. Knows nothing about
how a format is read; the clock is that of the process that the document is read in.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpcore2
import httpx2

import dmdoc
from dmdoc.document.source import joined
from dmdoc.document.stamp import WebStamp
from dmdoc.document.url import suffix_of
from dmdoc.errors import ExtractionError

MOST_REDIRECTS = 5

PATIENCE = 30.0
"""Seconds for which a server may say nothing."""

_REDIRECTS = frozenset([301, 302, 303, 307, 308])
_OFFICE = "application/vnd.openxmlformats-officedocument"
_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".xhtml",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/rtf": ".rtf",
    "application/rtf": ".rtf",
    "message/rfc822": ".eml",
    "application/mbox": ".mbox",
    "application/pdf": ".pdf",
    "application/epub+zip": ".epub",
    "application/x-ipynb+json": ".ipynb",
    f"{_OFFICE}.wordprocessingml.document": ".docx",
    f"{_OFFICE}.presentationml.presentation": ".pptx",
    f"{_OFFICE}.spreadsheetml.sheet": ".xlsx",
}
"""How the name of a file of a content type ends."""

_BY_NAME = re.compile(
    r"|text/.*|application/(.*\+)?(octet-stream|json|xml|yaml|javascript|zip)|binary/octet-stream"
)
"""Content types that leave it to the name in the URL."""

_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_LONGEST_STAMP = 1_000
_UNICAST, _NAT64 = ipaddress.IPv6Network("2000::/3"), ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class Page:
    """What a server sent."""

    data: bytes
    """Text in the encoding that the server names is in UTF-8 here."""
    suffix: str
    """As `Source.suffix`."""
    stamp: WebStamp | None
    """None if the server tells no version of it."""


def fetch(url: str, *, allow_private: bool = False, known: WebStamp | None = None) -> Page | None:
    """Fetch what is at a URL.

    Args:
        allow_private: also from addresses of this machine and of private networks.
        known: as it was fetched before.

    Returns:
        None if it is as it is known.

    Raises:
        ExtractionError: it cannot be fetched, is too large, or is of a type that is no document.
    """
    try:
        return _followed(url, _Backend(allow_private), known)
    except (
        httpcore2.NetworkError,
        httpcore2.ProtocolError,
        httpcore2.TimeoutException,
        httpcore2.UnsupportedProtocol,
        httpx2.InvalidURL,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ExtractionError(f"cannot fetch {url}: {reason}") from error


def is_public(address: str) -> bool:
    """Whether an IP address is one of the whole internet's, and leads to no other kind in disguise."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        return found in _UNICAST and found.is_global
    return found.is_global and not found.is_multicast


class _Backend(httpcore2.SyncBackend):
    """Connects to an address that a name stands for and that may be connected to, and to no other."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"no address of {host} is known ({error})") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        allowed = [each for each in addresses if self._allow_private or is_public(each)]
        if not allowed:
            raise ExtractionError(
                f"{host} has the address {addresses[0]}, which is private; nothing is fetched from there unless "
                "allow-private is given"
            )
        failure: Exception | None = None
        for address in allowed:
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure


def _followed(url: str, backend: _Backend, known: WebStamp | None) -> Page | None:
    place = _checked(httpx2.URL(url), url)
    with httpcore2.ConnectionPool(httpx2.create_ssl_context(), network_backend=backend) as pool:
        for _ in range(MOST_REDIRECTS + 1):
            with pool.stream("GET", str(place), headers=_headers(known), extensions=_TIMEOUTS) as response:
                headers = httpx2.Headers(response.headers)
                if response.status in _REDIRECTS and "location" in headers:
                    place = _checked(place.join(headers["location"]), url)
                    continue
                if response.status == 304 and known is not None:
                    return None
                if response.status != 200:
                    raise ExtractionError(
                        f"cannot fetch {url}: {place.host} answers with status {response.status}"
                    )
                return _page(url, place, headers, response.iter_stream())
    raise ExtractionError(
        f"cannot fetch {url}: it leads on to another place more than {MOST_REDIRECTS} times"
    )


_TIMEOUTS = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), PATIENCE)}


def _headers(known: WebStamp | None) -> Mapping[bytes | str, bytes | str]:
    headers: dict[bytes | str, bytes | str] = {
        "User-Agent": f"dmdoc/{dmdoc.__version__}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
    }
    if known is not None and known.etag:
        headers["If-None-Match"] = known.etag
    if known is not None and known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _checked(place: httpx2.URL, url: str) -> httpx2.URL:
    """
    Raises:
        ExtractionError: nothing is fetched from such a URL.
    """
    to = "" if str(place) == url else f" (it leads to {place.scheme}://{place.host})"
    if place.scheme not in ("http", "https") or not place.host:
        raise ExtractionError(f"cannot fetch {url}: only http and https URLs are fetched{to}")
    if place.userinfo:
        raise ExtractionError(
            f"cannot fetch from {place.host}: the URL has a password, which would be saved with it"
        )
    return place


def _page(url: str, place: httpx2.URL, headers: httpx2.Headers, pieces: Iterable[bytes]) -> Page:
    kind = headers.get("content-type", "")
    media, charset = kind.partition(";")[0].strip().lower(), _CHARSET.search(kind)
    suffix = _SUFFIXES.get(media)
    if suffix is None and not _BY_NAME.fullmatch(media):
        raise ExtractionError(f"{url} is {media}, which is no document that can be read")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ExtractionError(f"cannot fetch {url}: the server packs what it sends, unasked")
    data = joined(pieces, url)
    stamp = WebStamp(
        *(
            value if len(value) <= _LONGEST_STAMP and value.isascii() else ""
            for value in map(headers.get, _STAMPS, ("", ""))
        )
    )
    return Page(
        _in_utf8(data, charset[1]) if charset else data,
        suffix or suffix_of(str(place)) or ".txt",
        stamp if stamp.etag or stamp.last_modified else None,
    )


_STAMPS = ("etag", "last-modified")


def _in_utf8(data: bytes, charset: str) -> bytes:
    """Text in UTF-8 if it is in the encoding that the server names; else as it is."""
    try:
        data.decode()
    except UnicodeDecodeError:
        try:
            return data.decode(charset).encode()
        except (LookupError, UnicodeError):
            pass  # a false name is no better than none
    return data
