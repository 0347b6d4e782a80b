"""A page that PDFium opened: its words with their places, what is filled into its form, its notes, its lines.

The only module that calls PDFium's C functions.
"""

import ctypes
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pypdfium2.raw as pdfium

from dmdoc.document.placed import Word

_LINE_END_HYPHENS = frozenset("\x02\ufffe")
"""Either is what PDFium gives for a hyphen at a line end and for the line end after it."""

_NOTES = frozenset(
    getattr(pdfium, f"FPDF_ANNOT_{kind}")
    for kind in (
        *("TEXT", "FREETEXT", "HIGHLIGHT", "UNDERLINE", "SQUIGGLY", "STRIKEOUT", "STAMP", "CARET", "INK"),
        *("LINE", "SQUARE", "CIRCLE", "POLYGON", "POLYLINE", "FILEATTACHMENT"),
    )
)
_HIDDEN = 2 | 32
"""Flags of annotations that nobody sees."""

_PASSWORD = 1 << 13
"""The flag of a field for a password."""

_SLANTED = 0.1
"""Radians from which on a word is not on a row."""

_THIN = 3.0
"""Points: a path not higher than this is a line."""

_MOST_PATHS = 20_000
"""A page of more paths is a drawing, whose lines are no rules."""


def raw_text(text_page: Any) -> str:
    """The text of a page in the order in which it was drawn."""
    text = str(text_page.get_text_range())
    for hyphen in _LINE_END_HYPHENS:
        text = text.replace(hyphen, "-\n")
    return text


def words(text_page: Any) -> list[Word] | None:
    """The words of a page; None if their places do not tell their order: slanted ones, or from right to left."""
    found = []
    for text, first, last in _spans(text_page):
        if any("\u0590" <= letter <= "\u08ff" for letter in text):
            return None
        if abs(math.remainder(pdfium.FPDFText_GetCharAngle(text_page, first), math.tau)) > _SLANTED:
            return None
        left, size = text_page.get_charbox(first, loose=True), pdfium.FPDFText_GetFontSize(text_page, first)
        right = text_page.get_charbox(last, loose=True)
        x, y = ctypes.c_double(), ctypes.c_double()
        pdfium.FPDFText_GetCharOrigin(text_page, first, x, y)
        found.append(Word(text, left[0], right[2], y.value, min(size, left[3] - left[1]) or 1.0))
    return found


def _spans(text_page: Any) -> Iterator[tuple[str, int, int]]:
    """(text, index of its first character, of its last one) of each word."""
    letters: list[str] = []
    first = last = 0
    for index in range(text_page.count_chars()):
        code = pdfium.FPDFText_GetUnicode(text_page, index)
        letter = chr(code) if code else ""
        if letter and not letter.isspace():
            if not letters:
                first = index
            letters.append("-" if letter in _LINE_END_HYPHENS else letter)
            last = index
        if letters and (letter.isspace() or letter in _LINE_END_HYPHENS):
            yield "".join(letters), first, last
            letters = []
    if letters:
        yield "".join(letters), first, last


def rules(page: Any) -> list[float]:
    """The heights of the page's horizontal lines and of the edges of its boxes, each once."""
    heights: set[float] = set()
    for number, path in enumerate(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_PATH])):
        if number >= _MOST_PATHS:
            return []
        left, bottom, right, top = path.get_bounds()
        if right - left > 2 * _THIN:
            heights |= {round(bottom), round(top)} if top - bottom > _THIN else {round(bottom)}
    return [float(height) for height in heights]


def filled_in(page: Any, form: Any, words: Sequence[Word]) -> list[Word]:
    """What is filled into the fields of the page, level with the words beside it: text, choices, `yes` or `no`."""
    baselines = sorted({word.baseline for word in words})
    found = []
    for annotation in _annotations(page):
        if pdfium.FPDFAnnot_GetSubtype(annotation) != pdfium.FPDF_ANNOT_WIDGET:
            continue
        text = " ".join(_value(annotation, form).split())
        box = pdfium.FS_RECTF()
        if text and pdfium.FPDFAnnot_GetRect(annotation, box):
            size = min(box.top - box.bottom, 12.0) * 0.8
            level = bisect_right(baselines, box.top - 0.5 * size) - 1
            beside = level >= 0 and baselines[level] > box.bottom - 0.5 * size
            right = min(box.right, box.left + 0.5 * size * len(text))
            baseline = baselines[level] if beside else box.top - size
            found.append(Word(text, box.left, max(right, box.left + 1), baseline, size))
    return found


def _value(annotation: Any, form: Any) -> str:
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON):
        return "yes" if pdfium.FPDFAnnot_IsChecked(form, annotation) else "no"
    secret = pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD
    if kind == pdfium.FPDF_FORMFIELD_TEXTFIELD and secret:
        return ""
    if kind in (
        pdfium.FPDF_FORMFIELD_TEXTFIELD,
        pdfium.FPDF_FORMFIELD_COMBOBOX,
        pdfium.FPDF_FORMFIELD_LISTBOX,
    ):
        return _string(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)
    return ""


def notes(page: Any) -> list[str]:
    """What the notes on the page say."""
    found = []
    for annotation in _annotations(page):
        if pdfium.FPDFAnnot_GetSubtype(annotation) in _NOTES:
            found.append(_string(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents"))
    return [text for text in found if text.strip()]


def _annotations(page: Any) -> Iterator[Any]:
    """The annotations that can be seen."""
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        with _opened(page, index) as annotation:
            if annotation and not pdfium.FPDFAnnot_GetFlags(annotation) & _HIDDEN:
                yield annotation


@contextmanager
def _opened(page: Any, index: int) -> Iterator[Any]:
    annotation = pdfium.FPDFPage_GetAnnot(page, index)
    try:
        yield annotation
    finally:
        if annotation:
            pdfium.FPDFPage_CloseAnnot(annotation)


def _string(function: Any, *arguments: Any) -> str:
    """What a function of PDFium gives that writes UTF-16 into a buffer."""
    size = function(*arguments, None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    function(*arguments, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace")
