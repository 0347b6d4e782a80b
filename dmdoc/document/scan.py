"""Scanned pages by OCR: Tesseract, by way of pytesseract, reads the picture of a page that PDFium opened."""

from typing import Any, NamedTuple

from dmdoc.document.source import Source
from dmdoc.errors import ExtractionError
from dmdoc.text.normalise import Block

_DOTS = 300
"""Dots an inch, which Tesseract was made for."""

_MOST_DOTS = 40_000_000
"""Of a page; a larger one is drawn more coarsely."""


class Scanned(NamedTuple):
    """What was read on a page."""

    blocks: tuple[Block, ...]
    confidence: float
    """Of Tesseract in its words, their mean: from 0 to 1."""


def read_scan(page: Any, source: Source) -> Scanned:
    """What is seen on a page.

    Raises:
        ExtractionError: pytesseract, Tesseract or its data for the language is not installed.
    """
    try:
        import pytesseract
    except ImportError:
        raise ExtractionError(
            f"{source.label} needs OCR, which needs pytesseract; pip install 'dmdoc[ocr]' adds it"
        ) from None
    width, height = page.get_size()
    scale = min(_DOTS / 72, (_MOST_DOTS / max(width * height, 1.0)) ** 0.5)
    try:
        words = pytesseract.image_to_data(
            page.render(scale=scale).to_pil(),
            lang=source.ocr_language,
            output_type=pytesseract.Output.DICT,
        )
    except pytesseract.TesseractNotFoundError:
        raise ExtractionError(
            f"{source.label} needs OCR, which needs the program tesseract; on Debian: apt-get install tesseract-ocr"
        ) from None
    except pytesseract.TesseractError as error:
        raise ExtractionError(
            f"{source.label} cannot be read by OCR in '{source.ocr_language}': {' '.join(error.message.split())}"
        ) from error
    return gathered(words)


def gathered(words: dict[str, list[Any]]) -> Scanned:
    """The lines of Tesseract's blocks, in its order; words that it does not believe in are left out."""
    blocks: dict[int, dict[tuple[int, int], list[str]]] = {}
    confidences = []
    places = zip(words["block_num"], words["par_num"], words["line_num"], strict=True)
    for place, text, confidence in zip(places, words["text"], words["conf"], strict=True):
        if text.strip() and float(confidence) > 0:
            blocks.setdefault(place[0], {}).setdefault(place[1:], []).append(text)
            confidences.append(float(confidence) / 100)
    found = [Block("\n".join(" ".join(line) for line in lines.values())) for lines in blocks.values()]
    return Scanned(tuple(found), sum(confidences) / len(confidences) if confidences else 0.0)
