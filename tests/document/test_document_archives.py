"""DOCX, EPUB and PPTX: ZIP archives made here, whole, damaged, protected and too large."""

import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from dmdoc.document import Limits, epub, read_document
from dmdoc.document.markup import markup_text
from dmdoc.errors import ExtractionError

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SALT_AND_WATER = "Salt\nand water"


def zipped(members: dict[str, str]) -> bytes:
    data = BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return data.getvalue()


def relations(*lines: tuple[str, str, str]) -> str:
    """A .rels file of (id, kind, target)."""
    items = "".join(f'<Relationship Id="{i}" Type="{OFFICE}/{kind}" Target="{to}"/>' for i, kind, to in lines)
    return f'<Relationships xmlns="{PACKAGE}/relationships">{items}</Relationships>'


def word(body: str, **more: str) -> bytes:
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
            "_rels/.rels": relations(("r1", "officeDocument", "word/document.xml")),
            "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
            **more,
        }
    )


def word_paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def book(chapters: dict[str, str], **more: str) -> bytes:
    """An EPUB of XHTML bodies by file name, in that order, with a table of contents before them."""
    names = ["nav.xhtml", *chapters]
    items = "".join(
        f'<item id="i{i}" href="{name.replace(" ", "%20")}" media-type="application/xhtml+xml" '
        f'properties="{"nav" if i == 0 else ""}"/>'
        for i, name in enumerate(names)
    )
    spine = "".join(f'<itemref idref="i{i}"/>' for i in range(len(names)))
    page = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>T</title></head>{}</html>'
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis"><rootfiles>'
            '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
            "OEBPS/book.opf": f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest>'
            f"<spine>{spine}</spine></package>",
            "OEBPS/nav.xhtml": page.format("<body>Contents</body>"),
            **{f"OEBPS/{name}": page.format(f"<body>{body}</body>") for name, body in chapters.items()},
            **more,
        }
    )


def shape(text: str, kind: str = "") -> str:
    placeholder = f'<p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>' if kind else ""
    lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
    return f"<p:sp>{placeholder}<p:txBody>{lines}</p:txBody></p:sp>"


def slide(*shapes: str) -> str:
    tree = f"<p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld>"
    return f'<p:sld xmlns:p="{SLIDE}" xmlns:a="{DRAWING}">{tree}</p:sld>'


def presentation(slides: list[str], notes: dict[int, str] | None = None) -> bytes:
    """A PPTX; its slides are listed in order and their files are numbered backwards."""
    files = [f"slide{len(slides) - i}.xml" for i in range(len(slides))]
    listed = "".join(f'<p:sldId id="{256 + i}" r:id="r{i}"/>' for i in range(len(slides)))
    members = {
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{SLIDE}" xmlns:r="{OFFICE}"><p:sldIdLst>{listed}'
        "</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            *((f"r{i}", "slide", f"slides/{name}") for i, name in enumerate(files))
        ),
        **{f"ppt/slides/{name}": content for name, content in zip(files, slides, strict=True)},
    }
    for number, content in (notes or {}).items():
        name = files[number - 1]
        members[f"ppt/slides/_rels/{name}.rels"] = relations(
            ("n", "notesSlide", f"/ppt/notesSlides/n{number}.xml")
        )
        members[f"ppt/notesSlides/n{number}.xml"] = content
    return zipped(members)


def pages(data: bytes) -> tuple[str, ...]:
    return read_document("-", stdin=BytesIO(data)).pages


def test_word_keeps_headings_and_tables() -> None:
    cells = "".join(f"<w:tc>{word_paragraph(text)}</w:tc>" for text in ("seven", "120"))
    body = word_paragraph("Brine", "Heading1") + word_paragraph("Salt &amp; brine.")
    document = read_document("-", stdin=BytesIO(word(f"{body}<w:tbl><w:tr>{cells}</w:tr></w:tbl>")))
    assert document.pages == ("# Brine\n\nSalt & brine.\n\nseven | 120",)
    assert document.reader == "mammoth"


def test_word_without_mammoth_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mammoth", None)
    with pytest.raises(ExtractionError, match=r"needs mammoth; pip install 'dmdoc\[formats\]'"):
        pages(word(word_paragraph("Salt.")))


def test_chapters_are_pages_in_reading_order() -> None:
    chapters = {"z.xhtml": "<h1>One</h1><p>Salt.</p>", "plate.xhtml": "<img/>", "a b.xhtml": "<h1>Two</h1>"}
    document = read_document("-", stdin=BytesIO(book(chapters)))
    assert document.pages == ("# One\n\nSalt.", "", "# Two")
    assert document.extraction.empty_pages == (2,)


def test_a_chapter_that_is_listed_again_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def parse(markup: str) -> str:
        seen.append(markup)
        return markup_text(markup)

    monkeypatch.setattr(epub, "markup_text", parse)
    once = book({f"c{number}.xhtml": "<p>Salt.</p>" for number in range(3)})
    often = BytesIO()
    with zipfile.ZipFile(BytesIO(once)) as archive, zipfile.ZipFile(often, "w") as changed:
        for name in archive.namelist():
            last = b'<itemref idref="i3"/>'
            changed.writestr(name, archive.read(name).replace(last, last * 100))
    assert pages(often.getvalue()) == ("Salt.",) * 3
    assert len(seen) == 3


def test_a_book_that_is_too_long_is_refused_before_a_chapter_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(epub, "markup_text", lambda _: pytest.fail("a chapter was parsed"))
    data = book({f"c{number}.xhtml": "<p>Salt.</p>" * 100 for number in range(10)})
    with pytest.raises(ExtractionError, match="unpacks to more than the"):
        read_document("-", stdin=BytesIO(data), limits=Limits(text=6_000))


def test_a_protected_book_is_refused_and_one_with_protected_fonts_is_not() -> None:
    encryption = '<encryption><CipherReference URI="{}"/></encryption>'
    for uri, readable in (("OEBPS/font.otf", True), ("OEBPS/one.xhtml", False)):
        data = book({"one.xhtml": "<p>Salt.</p>"}, **{"META-INF/encryption.xml": encryption.format(uri)})
        if readable:
            assert pages(data) == ("Salt.",)
        else:
            with pytest.raises(ExtractionError, match="protected against copying"):
                pages(data)


def test_slides_are_pages_in_the_order_they_are_shown() -> None:
    cells = "".join(f"<a:tc><a:txBody><a:p><a:r><a:t>{t}</a:t></a:r></a:p></a:txBody></a:tc>" for t in "ab")
    grid = f"<p:graphicFrame><a:tbl><a:tr>{cells}</a:tr></a:tbl></p:graphicFrame>"
    group = f"<p:grpSp>{shape(SALT_AND_WATER)}</p:grpSp>"
    first = slide(shape("Brine", "title"), group, shape("1", "sldNum"))
    notes = slide(shape("Speak slowly."), shape("2", "sldNum"))
    data = presentation([first, slide(), slide(grid)], notes={3: notes})
    assert pages(data) == ("Brine\n\nSalt\nand water", "", "a | b\n\nSpeak slowly.")


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.epub"])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path, name: str) -> None:
    for content in (b"plain text", b"\xd0\xcf\x11\xe0 locked", zipped({"other.txt": "text"})):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ExtractionError, match=f"is not an? {name[2:].upper()}, or is damaged or locked"):
            read_document(str(tmp_path / name))


@pytest.mark.parametrize(
    "data",
    [
        word("<w:p>"),
        zipped({"word/document.xml": "<"}),
        zipped({"ppt/presentation.xml": "not XML"}),
        zipped({"META-INF/container.xml": "<container/>"}),
        zipped({"META-INF/container.xml": '<container><rootfile full-path="lost.opf"/></container>'}),
        zipped({"META-INF/container.xml": '<!DOCTYPE x [<!ENTITY a "b">]><container>&c;</container>'}),
    ],
)
def test_damage_inside_an_archive_is_one_line(data: bytes) -> None:
    with pytest.raises(ExtractionError, match="damaged") as caught:
        pages(data)
    assert "\n" not in str(caught.value)


def test_a_cut_archive_never_escapes_the_error_tree() -> None:
    for whole in (
        presentation([slide(shape("Salt " * 50))]),
        book({"a.xhtml": "Salt"}),
        word(word_paragraph("Salt")),
    ):
        middle = len(whole) // 2
        flipped = (
            whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 40]) + whole[middle + 40 :]
        )
        for data in (whole[:middle], flipped):
            try:
                assert pages(data)
            except ExtractionError as error:
                assert "\n" not in str(error)


def test_an_archive_that_unpacks_to_too_much_is_refused() -> None:
    for data in (
        word(word_paragraph("Salt.")),
        book({"a.xhtml": "Salt"}),
        presentation([slide(shape("Salt"))]),
    ):
        with pytest.raises(ExtractionError, match="unpacks to more than the"):
            read_document("-", stdin=BytesIO(data), limits=Limits(text=100))


def test_word_has_headers_and_footers_once_and_comments() -> None:
    namespace = f'xmlns:w="{WORD}"'
    lines = {
        "header1": word_paragraph("Report of the works"),
        "header2": word_paragraph("Report of the works") + word_paragraph("7"),
        "footer1": word_paragraph("Confidential") + word_paragraph("Page 3 of 9"),
    }
    comment = f'<w:comment w:id="0" w:author="Ann" w:initials="AO">{word_paragraph("Too salty.")}</w:comment>'
    body = '<w:p><w:r><w:t>Brine</w:t></w:r><w:r><w:commentReference w:id="0"/></w:r></w:p>'
    members = {f"word/{n}.xml": f"<w:hdr {namespace}>{content}</w:hdr>" for n, content in lines.items()}
    members["word/comments.xml"] = f"<w:comments {namespace}>{comment}</w:comments>"
    members["word/media/image1.png"] = ""
    document = read_document("-", stdin=BytesIO(word(body, **members)))
    assert document.pages == (
        "Report of the works\n\nBrine[AO1]\n\nComment [AO1]\n\nToo salty.\n\nConfidential",
    )
    assert document.warnings == ("left out: 1 picture",)


def test_what_is_drawn_on_slides_is_counted() -> None:
    graphic = '<p:graphicFrame><a:graphic><a:graphicData uri="http://x/{}"/></a:graphic></p:graphicFrame>'
    drawn = "<p:pic/>" * 2 + graphic.format("chart") + graphic.format("diagram") + graphic.format("table")
    document = read_document("-", stdin=BytesIO(presentation([slide(shape("Salt"), drawn)])))
    assert document.warnings == ("left out: 2 pictures, 1 chart, 1 SmartArt graphic",)


def test_groups_of_shapes_may_be_nested_deeply() -> None:
    nested = "<p:grpSp>" * 1000 + shape("Salt") + "</p:grpSp>" * 1000
    assert pages(presentation([slide(nested)])) == ("Salt",)
