"""Scanned pages, read by OCR."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytesseract
import pytest
from command_line import Invoke
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from dmdoc.document import IsolatedReader, read_document
from dmdoc.document.scan import gathered
from dmdoc.errors import ExtractionError
from dmdoc.model.embedded import embedded_folder
from dmdoc.model.reader import Reader, open_reader
from dmdoc.settings.folders import cache_folder
from dmdoc.text.normalise import Block

SEEN = "The lighthouse keeper of Marl is Ottoline Brack."
TYPED = "The harbour opened in 1902."
needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A PDF with a page of text and a page that is a picture of text."""
    canvas = Canvas(str(tmp_path / "scan.pdf"), pagesize=A4)
    canvas.drawString(72, 760, TYPED)
    canvas.showPage()
    draw_scan(canvas)
    canvas.save()
    return tmp_path / "scan.pdf"


def draw_scan(canvas: Canvas) -> None:
    picture = Image.new("L", (1600, 400), 255)
    ImageDraw.Draw(picture).text((60, 150), SEEN, fill=0, font=ImageFont.load_default(56))
    canvas.drawImage(ImageReader(picture), 40, 500, 500, 125)


@pytest.mark.slow
@needs_tesseract
def test_a_page_without_text_is_read_when_asked(scan: Path) -> None:
    assert read_document(str(scan)).empty_pages == (2,)
    with IsolatedReader(ocr="auto") as reader:
        document = reader.read(str(scan))
    assert document.pages == (TYPED, SEEN)
    typed, seen = document.extraction.confidence
    assert typed is None and seen is not None and seen > 0.8
    assert document.warnings == (f"OCR read page 2, with a confidence of {seen:.0%} or more",)


@pytest.mark.slow
@needs_tesseract
def test_a_scan_with_a_note_on_it_is_a_scan(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "noted.pdf"), pagesize=A4)
    draw_scan(canvas)
    canvas.textAnnotation("Approved.", Rect=[300, 300, 320, 320])
    canvas.save()
    unread = read_document(str(tmp_path / "noted.pdf"))
    assert unread.warnings == ("nothing but notes on page 1; scanned pages need OCR",)
    document = read_document(str(tmp_path / "noted.pdf"), ocr="auto")
    assert document.text == f"{SEEN}\n\n[Note: Approved.]"
    assert document.warnings[0].startswith("OCR read page 1")


@pytest.fixture(scope="module")
def reader() -> Reader:
    cache = cache_folder(os.environ)
    if not embedded_folder(cache).is_dir():
        pytest.skip("the embedded model is not in the cache; run `make model`")
    return open_reader("smollm2-135m", "smollm2-135m", cache=cache, device="cpu", offline=True)


@pytest.mark.slow
@pytest.mark.xdist_group("embedded")
@needs_tesseract
def test_a_scanned_page_answers_its_question(scan: Path, invoke: Invoke) -> None:
    assert invoke("ingest", str(scan), "--ocr", "auto").code == 0
    assert invoke("ask", "Who is the lighthouse keeper of Marl?", "--quiet").out == "Ottoline Brack\n"


@pytest.mark.slow
@needs_tesseract
def test_all_pages_are_read_when_that_is_asked(scan: Path) -> None:
    document = read_document(str(scan), ocr="force")
    assert document.pages == (TYPED, SEEN)
    assert all(confidence is not None for confidence in document.confidence)


@needs_tesseract
def test_a_language_that_is_not_installed_is_one_line(scan: Path) -> None:
    with pytest.raises(ExtractionError, match="cannot be read by OCR in 'xyz'") as caught:
        read_document(str(scan), ocr="auto", ocr_language="xyz")
    assert "\n" not in str(caught.value)


def test_without_the_extra_the_error_names_it(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytesseract", None)
    with pytest.raises(ExtractionError, match=r"needs pytesseract; pip install 'dmdoc\[ocr\]' adds it"):
        read_document(str(scan), ocr="auto")


def test_without_the_program_the_error_names_it(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", "no-such-program")
    with pytest.raises(ExtractionError, match="needs the program tesseract"):
        read_document(str(scan), ocr="auto")


def test_words_are_put_together_by_block_and_line() -> None:
    words: dict[str, list[Any]] = {
        "block_num": [1, 1, 1, 1, 2],
        "par_num": [1, 1, 1, 2, 1],
        "line_num": [1, 1, 2, 1, 1],
        "text": ["The", "salt", "mine", "", "Other"],
        "conf": [90, "80", 100, -1, 0],
    }
    scanned = gathered(words)
    assert scanned.blocks == (Block("The salt\nmine"),)
    assert scanned.confidence == pytest.approx(0.9)
