"""Rich text (RTF)."""

import sys
from pathlib import Path

import pytest
from linear import assert_linear

from dmdoc.document import read_document
from dmdoc.document.rtf import read
from dmdoc.document.source import Source
from dmdoc.errors import ExtractionError

CASES = Path(__file__).parent.parent / "cases"


def test_a_note_is_read_without_its_markup() -> None:
    document = read_document(str(CASES / "note.rtf"))
    # A blank after a control word ends the word and is no text.
    assert document.text == "The well at Tarn is 40 metresdeep. Its owner is Renée Fox."
    assert document.reader == "striprtf"


def test_it_is_told_by_content(tmp_path: Path) -> None:
    (tmp_path / "note.doc").write_bytes((CASES / "note.rtf").read_bytes())
    assert read_document(str(tmp_path / "note.doc")).reader == "striprtf"


def test_the_code_page_is_taken() -> None:
    data = rb"{\rtf1\ansi\ansicpg1251 \'d1\'ee\'eb\'fc}"
    assert read(Source(data, "a.rtf")).pages == ("Соль",)


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "striprtf.striprtf", None)
    with pytest.raises(ExtractionError, match="needs striprtf"):
        read_document(str(CASES / "note.rtf"))


@pytest.mark.parametrize(
    "piece", [r"{\b x}", r"\par ", r"{", r"\'e9", r"\u233 ?", r"{\*\x y}", r"\cell\row "]
)
def test_time_is_linear(piece: str) -> None:
    assert_linear(lambda data: read(Source(data, "a.rtf")), lambda n: rb"{\rtf1 " + piece.encode() * n + b"}")
