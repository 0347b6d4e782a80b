"""The page as it is sent: everything has a name that is read aloud, and nothing comes from elsewhere."""

import re
from html.parser import HTMLParser

import pytest
from serving import Serve

pytestmark = pytest.mark.slow

KEY = "a key of sixteen"


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_needs_no_key_and_nothing_from_elsewhere(serve: Serve) -> None:
    client = serve(key=KEY)
    page, script = client.get("/"), client.get("/page.js")
    assert (page.status_code, script.status_code) == (200, 200)
    assert page.headers["Content-Type"].startswith("text/html")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert not re.search(r"https?://", page.text + script.text)
    assert not re.search(r"\bon\w+=|innerHTML", page.text + re.sub(r"\.on\w+ =", "", script.text))


def test_every_field_has_a_label_and_every_id_is_there_once(serve: Serve) -> None:
    client = serve()
    elements = Elements(client.get("/").text).found
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    labels = {attributes.get("for") for tag, attributes in elements if tag == "label"}
    fields = {attributes.get("id") for tag, attributes in elements if tag in ("input", "select")}
    assert len(ids) == len(set(ids))
    assert fields and fields <= labels
    assert ("html", {"lang": "en"}) in elements
    asked = set(re.findall(r'\$\("([\w-]+)"\)', client.get("/page.js").text))
    assert asked <= set(ids)
