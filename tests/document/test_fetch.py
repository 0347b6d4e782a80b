"""What is at a URL: what is fetched, from where, and what is not."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpcore2
import pytest
from web_server import Page, Site, running

from dmdoc.document import Document, IsolatedReader, Limits, WebStamp, read_document, source
from dmdoc.document.fetch import MOST_REDIRECTS, is_public
from dmdoc.document.url import full_source, title
from dmdoc.errors import ExtractionError

TEXT = b"Lot seven holds salt."
HTML = b"<html><body><p>Lot <b>seven</b> holds salt.</p></body></html>"


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as site:
        yield site


def read(url: str, known: Document | None = None) -> Document:
    return read_document(url, allow_private=True, known=known)


@pytest.mark.parametrize(
    ("path", "page", "reader"),
    [
        ("/lots.txt", Page(TEXT), "text"),
        ("/lots", Page(TEXT), "text"),
        ("/lots.bin", Page(TEXT, "application/octet-stream"), "text"),
        ("/lots?page=2", Page(HTML, "text/html; charset=utf-8"), "trafilatura"),
        ("/lots.txt", Page(HTML, "text/html"), "trafilatura"),
        ("/lots", Page(HTML), "trafilatura"),
        ("/lots.html", Page(HTML, "binary/octet-stream"), "trafilatura"),
        ("/lots", Page(rb"{\rtf1 Lot seven holds salt.}", "application/rtf"), "striprtf"),
    ],
)
def test_a_page_is_read_as_its_type_says(site: Site, path: str, page: Page, reader: str) -> None:
    site.pages[path] = page
    document = read(site.url(path))
    assert (document.name, document.source, document.reader) == ("lots", site.url(path), reader)
    assert document.text == TEXT.decode()


def test_the_encoding_that_the_server_names_is_taken(site: Site) -> None:
    site.pages["/salt.html"] = Page("<p>Соль.</p>".encode("cp1251"), "text/html; charset=windows-1251")
    assert read(site.url("/salt.html")).text == "Соль."


@pytest.mark.parametrize("kind", ["image/png", "video/mp4", "application/x-executable"])
def test_a_type_that_is_no_document_is_refused(site: Site, kind: str) -> None:
    site.pages["/a.txt"] = Page(TEXT, kind)
    with pytest.raises(ExtractionError, match=f"is {kind}, which is no document"):
        read(site.url("/a.txt"))


def test_redirects_are_followed_and_the_source_is_what_was_asked_for(site: Site) -> None:
    site.pages["/old"] = Page(status=301, headers={"Location": "/new/"})
    site.pages["/new/"] = Page(status=307, headers={"Location": site.url("/lots.txt")})
    site.pages["/lots.txt"] = Page(TEXT)
    document = read(site.url("/old#lots"))
    assert (document.source, document.text) == (site.url("/old"), TEXT.decode())


def test_redirects_without_end_are_not(site: Site) -> None:
    site.pages["/"] = Page(status=302, headers={"Location": "/"})
    with pytest.raises(ExtractionError, match=f"more than {MOST_REDIRECTS} times"):
        read(site.url("/"))
    assert len(site.asked) == MOST_REDIRECTS + 1


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://example.org/a", "gopher://x", "data:,a"])
def test_only_http_is_fetched(site: Site, place: str) -> None:
    site.pages["/a"] = Page(status=302, headers={"Location": place})
    with pytest.raises(ExtractionError, match="only http and https URLs are fetched"):
        read(site.url("/a"))


def test_other_schemes_are_said_to_be_none(site: Site) -> None:
    with pytest.raises(ExtractionError, match="only http and https URLs are fetched"):
        read("ftp://example.org/a.txt")


def test_a_password_in_the_url_is_neither_saved_nor_shown(site: Site) -> None:
    with pytest.raises(ExtractionError, match="has a password") as caught:
        read(f"http://me:secret@{site.address}/a")
    assert "secret" not in str(caught.value)


def test_addresses_of_this_machine_are_refused(site: Site) -> None:
    site.pages["/a"] = Page(TEXT)
    with pytest.raises(ExtractionError, match=r"127\.0\.0\.1 has the address 127\.0\.0\.1, which is private"):
        read_document(site.url("/a"))
    assert site.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("fec0::1", False),
        ("::127.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::1", False),
        ("64:ff9b::5db8:d822", True),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) == public


class Names:
    """Stands in for the look-up of names, and for connecting to public addresses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, site: Site, **addresses: list[str]) -> None:
        self.connected: list[str] = []
        host, port = site.address.split(":")
        look_up, connect = socket.getaddrinfo, httpcore2.SyncBackend.connect_tcp

        def found(name: str, *arguments: Any, **options: Any) -> Any:
            known = addresses.get(name.partition(".")[0])
            if known is None:
                return look_up(name, *arguments, **options)
            address = known.pop(0) if len(known) > 1 else known[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))]

        def connected(backend: Any, address: str, *_: Any) -> httpcore2.NetworkStream:
            self.connected.append(address)
            return connect(backend, host, int(port))

        monkeypatch.setattr(socket, "getaddrinfo", found)
        monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", connected)


def test_what_is_connected_to_is_what_was_checked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, site, rebound=["93.184.216.34", "127.0.0.1"])
    site.pages["/a"] = Page(TEXT)
    assert read_document("http://rebound.example/a").text == TEXT.decode()
    assert names.connected == ["93.184.216.34"]
    assert site.asked[0][1]["host"] == "rebound.example"
    with pytest.raises(ExtractionError, match=r"rebound\.example has the address 127\.0\.0\.1"):
        read_document("http://rebound.example/a")


def test_a_redirect_to_a_private_address_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, site, public=["93.184.216.34"], inner=["10.0.0.7"])
    site.pages["/a"] = Page(status=302, headers={"Location": "http://inner.example/secret"})
    site.pages["/secret"] = Page(TEXT)
    with pytest.raises(
        ExtractionError, match=r"inner\.example has the address 10\.0\.0\.7, which is private"
    ):
        read_document("http://public.example/a")
    assert names.connected == ["93.184.216.34"]


def test_no_proxy_is_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    site.pages["/a"] = Page(TEXT)
    assert read(site.url("/a")).text == TEXT.decode()


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (Page(status=404), "answers with status 404"),
        (Page(status=304), "answers with status 304"),
        (Page(TEXT, headers={"Content-Encoding": "gzip"}), "packs what it sends"),
        (Page(b"  "), "is empty"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(site: Site, page: Page, message: str) -> None:
    site.pages["/a"] = page
    with pytest.raises(ExtractionError, match=message) as caught:
        read(site.url("/a"))
    assert site.url("/a") in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a", "http://no-such-host.invalid/", "http://[::1/", "http://", "http://a:b/"]
)
def test_what_no_server_answers_is_one_line(url: str) -> None:
    with pytest.raises(ExtractionError, match="cannot fetch") as caught:
        read(url)
    assert "\n" not in str(caught.value)


def test_more_than_a_file_may_have_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_FILE", 100)
    site.pages["/a"] = Page(b"a" * 1000)
    with pytest.raises(ExtractionError, match="that a file may have"):
        read(site.url("/a"))


@pytest.mark.slow
def test_a_server_that_is_slow_is_not_waited_for(site: Site) -> None:
    site.pages["/a"] = Page(slow=True)
    begun = time.monotonic()
    with (
        IsolatedReader(Limits(seconds=1.0), allow_private=True) as reader,
        pytest.raises(ExtractionError, match="was not read within 1 seconds"),
    ):
        reader.read(site.url("/a"))
    assert time.monotonic() - begun < 20


@pytest.mark.slow
def test_a_page_that_is_unchanged_is_not_sent_again(site: Site) -> None:
    site.pages["/a"] = Page(TEXT, headers={"ETag": '"1"', "Last-Modified": "Sat, 28 Nov 2026 10:00:00 GMT"})
    with IsolatedReader(allow_private=True) as reader:
        first = reader.read(site.url("/a"))
        assert first.file == WebStamp('"1"', "Sat, 28 Nov 2026 10:00:00 GMT")
        known = replace(first, name="other")
        assert reader.read(site.url("/a"), known=known) is known
        assert site.asked[1][1]["if-none-match"] == '"1"'
        assert site.asked[1][1]["if-modified-since"] == "Sat, 28 Nov 2026 10:00:00 GMT"
        site.pages["/a"] = Page(b"Lot eight holds brine.", headers={"ETag": '"2"'})
        changed = reader.read(site.url("/a"), known=first)
    assert (changed.text, changed.file) == ("Lot eight holds brine.", WebStamp('"2"', ""))


@pytest.mark.slow
def test_a_stamp_that_cannot_be_sent_back_is_not_kept(site: Site) -> None:
    site.pages["/a"] = Page(
        TEXT, headers={"ETag": '"\u00e9"', "Last-Modified": "Sat, 28 Nov 2026 10:00:00 GMT"}
    )
    with IsolatedReader(allow_private=True) as reader:
        first = reader.read(site.url("/a"))
        assert first.file == WebStamp("", "Sat, 28 Nov 2026 10:00:00 GMT")
        assert reader.read(site.url("/a"), known=first).text == first.text


@pytest.mark.parametrize(
    ("url", "full", "name"),
    [
        ("HTTPS://Example.ORG", "https://example.org/", "example.org"),
        (
            "http://example.org/a/Delta%20rule.HTML?x=1#y",
            "http://example.org/a/Delta%20rule.HTML?x=1",
            "Delta rule",
        ),
        ("http://example.org/pdf/2401.01234", "http://example.org/pdf/2401.01234", "2401.01234"),
        ("http://example.org/a/b/", "http://example.org/a/b/", "b"),
    ],
)
def test_how_a_url_is_written_and_called(url: str, full: str, name: str) -> None:
    assert (full_source(url), title(full_source(url))) == (full, name)
