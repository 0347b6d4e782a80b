"""Text in every encoding; what is binary is refused."""

from pathlib import Path

import pytest

from dmdoc.document import read_document
from dmdoc.errors import ExtractionError


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
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a control character at byte 2"),
        (b"caf\xe9\0", "a NUL at byte 4"),
    ],
)
def test_binary_is_refused_before_any_guess(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "picture"
    path.write_bytes(content)
    with pytest.raises(ExtractionError, match=message):
        read_document(str(path))
