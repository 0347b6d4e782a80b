"""Presentations (PPTX): one page a slide, in order: its text, its tables, then the speaker's notes.

Slide numbers, dates and footers are left out, and so is what is drawn, which a warning counts: pictures, charts,
SmartArt.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import dirname, join, normpath
from xml.etree.ElementTree import Element

from dmdoc.document.archive import Archive
from dmdoc.document.source import Extracted, Source, left_out
from dmdoc.text.normalise import normalise_text

_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_SLIDE = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_RELATION_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_PRESENTATION = "ppt/presentation.xml"
_RUNNING = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})
"""Kinds of placeholder that say the same on every slide."""

_GRAPHICS = {"chart": "chart", "diagram": "SmartArt graphic"}
"""The last part of a graphic's URI, and what it is."""


def read(source: Source) -> Extracted:
    """The text of the slides.

    Raises:
        ExtractionError: it is damaged.
    """
    archive = Archive(source)
    slides = {relation.id: relation.target for relation in _relations(archive, _PRESENTATION)}
    pages: list[str] = []
    drawn: Counter[str] = Counter({kind: 0 for kind in ("picture", *_GRAPHICS.values())})
    for number, listed in enumerate(archive.read_xml(_PRESENTATION).iter(f"{_SLIDE}sldId"), start=1):
        name = slides.get(listed.get(_RELATION_ID, ""))
        if name is None:
            raise archive.damaged(f"{_PRESENTATION} names no file for slide {number}")
        members = [archive.read_xml(member) for member in (name, *_notes(archive, name))]
        blocks = [block for member in members for block in _blocks(member)]
        pages.append(normalise_text("\n\n".join(block for block in blocks if block.strip())))
        drawn.update(_drawn(members[0]))
    return Extracted(tuple(pages), "pptx", left_out(drawn))


@dataclass(frozen=True)
class _Relation:
    """A line of a .rels file: what a member refers to by an id."""

    id: str
    kind: str
    target: str
    """A member name."""


def _relations(archive: Archive, name: str) -> list[_Relation]:
    """What a member refers to inside the archive."""
    folder = dirname(name)
    rels = f"{folder}/_rels/{name.removeprefix(folder + '/')}.rels"
    if rels not in archive.names:
        return []
    return [
        _Relation(
            id=element.get("Id", ""),
            kind=element.get("Type", "").rpartition("/")[2],
            # A target is relative to the member, or begins with "/" and is relative to the archive.
            target=normpath(join("/", folder, element.get("Target", ""))).lstrip("/"),
        )
        for element in archive.read_xml(rels)
        if element.get("TargetMode") != "External"
    ]


def _notes(archive: Archive, name: str) -> list[str]:
    """The members that hold the speaker's notes of a slide."""
    return [relation.target for relation in _relations(archive, name) if relation.kind == "notesSlide"]


def _drawn(slide: Element) -> Iterator[str]:
    """What kind of thing each picture and graphic of a slide is."""
    for element in slide.iter():
        if element.tag == f"{_SLIDE}pic":
            yield "picture"
        elif (
            element.tag == f"{_DRAWING}graphicData"
            and (kind := element.get("uri", "").rpartition("/")[2]) in _GRAPHICS
        ):
            yield _GRAPHICS[kind]


def _blocks(element: Element) -> Iterator[str]:
    """The text of every shape and table under an element, in document order."""
    waiting = list(reversed(element))
    while waiting:
        child = waiting.pop()
        if child.tag == f"{_SLIDE}sp":
            placeholder = child.find(f"{_SLIDE}nvSpPr/{_SLIDE}nvPr/{_SLIDE}ph")
            if placeholder is None or placeholder.get("type") not in _RUNNING:
                yield _paragraphs(child)
        elif child.tag == f"{_DRAWING}tbl":
            yield "\n".join(
                " | ".join(" ".join(_paragraphs(cell).split()) for cell in row.iter(f"{_DRAWING}tc"))
                for row in child.iter(f"{_DRAWING}tr")
            )
        elif child.tag != f"{_COMPATIBILITY}Fallback":  # it says what its Choice says
            waiting += reversed(child)


def _paragraphs(element: Element) -> str:
    """The paragraphs under an element, one a line."""
    lines = []
    for paragraph in element.iter(f"{_DRAWING}p"):
        pieces = []
        for part in paragraph.iter():
            if part.tag == f"{_DRAWING}t":
                pieces.append(part.text or "")
            elif part.tag == f"{_DRAWING}br":
                pieces.append("\n")
        lines.append("".join(pieces))
    return "\n".join(lines)
