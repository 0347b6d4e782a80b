"""HTML: the main text, without what stands around it; and markup into text."""

import sys
from io import BytesIO
from pathlib import Path

import pytest

from dmdoc.document import read_document
from dmdoc.document.markup import markup_text
from dmdoc.errors import ExtractionError

PAGE = """<!doctype html>
<html><head><title>Brine</title><style>p { color: red }</style><script>track("Cookies")</script></head>
<body><nav><a href="/">Home</a> <a href="/shop">Shop</a></nav>
<article><h1>The brine report</h1>
<p>Salt is <b>mined</b> in lot seven and sold in the harbour, which is a sentence long enough to be a text.</p>
<h2>Prices</h2><ul><li>Salt: 5</li><li>Brine: 7</li></ul>
<p>The café opened again in May, and this second paragraph too has a good number of words in it.</p>
<table><tr><th>Lot</th><th>Tonnes</th></tr><tr><td>seven</td><td>120</td></tr></table></article>
<footer>Copyright and cookies</footer></body></html>"""


def read(content: bytes, tmp_path: Path, name: str = "page.html") -> str:
    (tmp_path / name).write_bytes(content)
    return read_document(str(tmp_path / name)).text


def test_the_main_text_of_a_page(tmp_path: Path) -> None:
    text = read(PAGE.encode(), tmp_path)
    assert text.startswith("# The brine report\n\nSalt is mined in lot seven")
    assert "## Prices\n\n- Salt: 5\n- Brine: 7\n\nThe café" in text
    assert text.endswith("Lot | Tonnes\nseven | 120")
    for around in ("Home", "Shop", "Cookies", "cookies", "color"):
        assert around not in text


FIGURE, ROWS = (
    "Figure 1: the barge.",
    "<tr><th>Lot</th><th>Tonnes</th></tr><tr><td>seven</td><td>120</td></tr>",
)


@pytest.mark.parametrize(
    "marked",
    [
        f"<figure><img src=a.png><figcaption>{FIGURE}</figcaption></figure><table>{ROWS}</table>",
        f"<figure><figcaption><p>Figure 1: the <b>barge</b>.</p></figcaption></figure><table>{ROWS}</table>",
        f"<table><caption>{FIGURE}</caption>{ROWS}</table>",
        f"<figure><figcaption>{FIGURE}</figcaption><table>{ROWS}</table></figure>",
        f"<figure><table><caption>Table 2.</caption>{ROWS}</table><figcaption>{FIGURE}</figcaption></figure>",
    ],
)
def test_captions_are_kept_once_with_what_they_belong_to(tmp_path: Path, marked: str) -> None:
    text = read(PAGE.replace("<h2>Prices", f"{marked}<h2>Prices").encode(), tmp_path)
    lines = [line.rstrip() for line in text.split("\n")]
    assert lines.count(FIGURE) == 1
    assert lines.count("seven | 120") == 2  # the page has such a table already
    assert lines.count("Table 2.") == marked.count("Table 2.")


def test_html_without_a_name_is_told_by_content() -> None:
    document = read_document("-", stdin=BytesIO(b"<!-- saved -->\n" + PAGE.encode()))
    assert document.reader == "trafilatura"
    assert "<p>" not in document.text


@pytest.mark.parametrize(
    "declaration", ['<meta charset="windows-1251">', "<meta content='x; charset=cp1251'>"]
)
def test_the_declared_encoding_is_taken(tmp_path: Path, declaration: str) -> None:
    page = f"<html><head>{declaration}</head><body><p>Соль.</p></body></html>"
    assert read(page.encode("cp1251"), tmp_path) == "Соль."


def test_a_false_declaration_is_no_better_than_none(tmp_path: Path) -> None:
    page = '<html><head><meta charset="nonsense"></head><body><p>Ein Müller an der Straße.</p></body></html>'
    assert "Müller" in read(page.encode("cp1252"), tmp_path)


def test_a_fragment_is_taken_whole(tmp_path: Path) -> None:
    assert read(b"<ul><li>one<li>two</ul>", tmp_path) == "- one\n- two"


def test_a_page_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExtractionError, match="no text in it"):
        read(b"<html><body><img src=scan.png></body></html>", tmp_path)


def test_the_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(ExtractionError, match=r"needs trafilatura; pip install 'dmdoc\[formats\]' adds it"):
        read(PAGE.encode(), tmp_path)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>one\n two</p><p>three</p>", "one two\n\nthree"),
        ("<p>a <i>b</i>c<br/>d</p>", "a bc\nd"),
        ("<h3><span>Title</span></h3>text", "### Title\n\ntext"),
        (
            "<ol><li><p>one</p></li><li>two<ul><li>deep</li></ul></li></ol>end",
            "1. one\n2. two\n  - deep\n\nend",
        ),
        ("<table><tr><td><p>a</p></td><td>b<br>c</td></tr><tr><td>d</td></tr></table>", "a | b c\nd"),
        ("<pre>x = 1\n  y = 2</pre>", "x = 1\n  y = 2"),
        ("a<script>b</script>c &amp; d&nbsp;e<!-- f -->", "ac & d\u00a0e"),
        ("<title/>text", "text"),
        ("", ""),
    ],
)
def test_markup_becomes_text(markup: str, text: str) -> None:
    lines = [line.rstrip() for line in markup_text(markup).split("\n")]
    assert "\n".join(lines) == text


@pytest.mark.parametrize(
    "body",
    [
        "<div id=root></div><script>x()</script><noscript>You need JavaScript.</noscript>",
        '<div class="a" id="__next"></div><p>Loading</p><script src=a.js></script>',
        "<script>x()</script>",
    ],
)
def test_a_page_that_javascript_makes_is_refused(tmp_path: Path, body: str) -> None:
    with pytest.raises(ExtractionError, match=r"is made by JavaScript.*save the page"):
        read(f"<!doctype html><html><body>{body}</body></html>".encode(), tmp_path)


def test_a_short_page_with_a_script_is_read(tmp_path: Path) -> None:
    page = b"<html><body><div id=main><p>The key is with Mrs Quayle.</p></div><script>count()</script></body></html>"
    assert read(page, tmp_path) == "The key is with Mrs Quayle."
