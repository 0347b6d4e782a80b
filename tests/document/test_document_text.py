"""Text in every encoding; what is binary is refused."""

from io import BytesIO
from pathlib import Path

import pytest

from dmdoc.document import read_document
from dmdoc.errors import ExtractionError

CASES = Path(__file__).parent.parent / "cases"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Smørbrød på bordet.", "cp1252"),
        ("Le café était fermé; déjà l'été à Orléans, où la crème brûlée coûtait 5 €.", "cp1252"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy.", "cp1250"),
        ("Это пример текста в кодировке, достаточно длинный.", "koi8_r"),
        ("これは日本語のテキストです。もう一つの文。", "cp932"),
        ("这是一个中文文本。还有一句话。", "gb18030"),
    ],
)
def test_other_encodings_are_detected(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes(text.encode(encoding))
    document = read_document(str(path))
    assert document.text == text
    assert document.extraction.reader == f"text ({encoding})"


def test_unicode_needs_no_guess(tmp_path: Path) -> None:
    path = tmp_path / "new.txt"
    path.write_text("naïve", encoding="utf-8")
    assert read_document(str(path)).extraction.reader == "text"


def test_source_code_is_kept_as_it_is(tmp_path: Path) -> None:
    code = 'def page():\n    return "<html>"  # a comment\n\n\tindented = "x"'
    for name in ("page.py", "page.php"):
        (tmp_path / name).write_text(code, encoding="utf-8")
        assert read_document(str(tmp_path / name)).text == code


def test_code_that_mentions_a_pdf_header_is_not_a_pdf(tmp_path: Path) -> None:
    path = tmp_path / "magic.py"
    path.write_text('MAGIC = b"%PDF-1.4"', encoding="utf-8")
    assert read_document(str(path)).text == 'MAGIC = b"%PDF-1.4"'


def test_a_template_is_source_code_and_not_a_web_page(tmp_path: Path) -> None:
    path = tmp_path / "page.jinja"
    path.write_text("<!doctype html>\n<p>{{ name }}</p>", encoding="utf-8")
    assert read_document(str(path)).text == "<!doctype html>\n<p>{{ name }}</p>"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a control character at byte 6"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "in an old format of Office"),
        (b"caf\xe9\0", "a NUL at byte 4"),
    ],
)
def test_binary_is_refused_before_any_guess(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "picture"
    path.write_bytes(content)
    with pytest.raises(ExtractionError, match=message):
        read_document(str(path))


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_needs_no_byte_order_mark(codec: str) -> None:
    text = (CASES / "utf16le-nobom.txt").read_bytes().decode("utf-16-le")
    document = read_document("-", stdin=BytesIO(text.encode(codec)))
    assert document.text.startswith("Café Zürich opened in 1921. Its owner is Jörg Müller")


def test_a_nul_or_two_are_replaced_and_that_is_said() -> None:
    document = read_document("-", stdin=BytesIO(b"The well \0is 40 metres deep."))
    assert document.text == "The well \ufffdis 40 metres deep."
    assert document.warnings == ("replaced 1 NUL character by \ufffd",)


def test_more_nuls_are_binary() -> None:
    with pytest.raises(ExtractionError, match="a NUL at byte 1"):
        read_document("-", stdin=BytesIO(b"a\0\0b\0\0c\0\0"))


@pytest.mark.parametrize(
    ("name", "reader"), [("page.txt", "trafilatura"), ("page", "trafilatura"), ("page.php", "text")]
)
def test_html_under_the_name_of_text_is_html(tmp_path: Path, name: str, reader: str) -> None:
    page = (
        "<!doctype html><html><body><p>The well at Tarn is forty metres deep, as is known.</p></body></html>"
    )
    (tmp_path / name).write_text(page, encoding="utf-8")
    assert read_document(str(tmp_path / name)).reader == reader
