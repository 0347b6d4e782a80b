"""Reading documents: every format, and every way in which a source can be unreadable."""

import hashlib
import json
from io import BytesIO
from pathlib import Path

import pypdf
import pytest
from sample_pdf import SAMPLE_FOOTER, SAMPLE_HEADER, SAMPLES, write_pdf

from dmdoc.document import MAX_NAME_LENGTH, Document, check_name, read_document, slug
from dmdoc.errors import ExtractionError, UsageError


def encrypt(path: Path, *, password: str) -> None:
    """Encrypt a PDF in place. RC4, because AES needs a package that is optional."""
    writer = pypdf.PdfWriter(clone_from=path)
    writer.encrypt(user_password=password, owner_password="owner", algorithm="RC4-128")
    writer.write(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "Våren 2023.TXT"
    path.write_bytes("Smørbrød.\r\n".encode(encoding))
    document = read_document(str(path))
    assert document == Document(name="varen-2023", source=str(path), pages=("Smørbrød.",))
    assert document.sha256 == hashlib.sha256("Smørbrød.".encode()).hexdigest()


def test_markdown_is_kept_as_text(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("# Title\n\n- one\n- two\n\n    code\n", encoding="utf-8")
    assert read_document(str(path)).text == "# Title\n\n- one\n- two\n\n    code"


def test_form_feeds_are_page_breaks() -> None:
    document = read_document("-", stdin=BytesIO(b"one\n\f\n\ftwo\n\f"))
    assert document.pages == ("one", "", "two")
    assert document.empty_pages == (2,)
    assert document.text == "one\n\ntwo"


def test_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here.txt").write_text("text", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert read_document("here.txt").source == str(tmp_path / "here.txt")


def test_stdin_takes_its_name_from_the_text() -> None:
    document = read_document("-", stdin=BytesIO(b"Salt."))
    assert (document.name, document.source) == (f"stdin-{document.sha256[:8]}", "-")


def test_stdin_with_a_pdf(tmp_path: Path) -> None:
    path = tmp_path / "one.pdf"
    write_pdf(path, ["Salt and brine."])
    assert read_document("-", stdin=BytesIO(path.read_bytes())).text == "Salt and brine."


def test_pdf_pages_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "mixed.pdf"
    write_pdf(path, ["First (page).", "", "Third page."])
    document = read_document(str(path), name="mixed.v1")
    assert document.name == "mixed.v1"
    assert document.pages == ("First (page).", "", "Third page.")
    assert document.empty_pages == (2,)


def test_pdf_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "download"
    write_pdf(path, ["Salt."])
    assert read_document(str(path)).text == "Salt."


def test_pdf_with_an_empty_user_password_opens(tmp_path: Path) -> None:
    path = tmp_path / "restricted.pdf"
    write_pdf(path, ["Not for printing."])
    encrypt(path, password="")
    assert read_document(str(path)).text == "Not for printing."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\t ", "is empty"),
        (b"\xef\xbb\xbf\n", "no text in it"),
        (b"PK\x03\x04\0\0", "binary, not text (a NUL at byte 4)"),
        (b"\xef\xbb\xbfcaf\xe9!", "not UTF-8 text as its first bytes say: it cannot be decoded at byte 6"),
        (b"\xff\xfea\0\x00\xd8", "not UTF-16 text as its first bytes say: it cannot be decoded at byte 4"),
        (b"%PDF-1.4\nnothing more", "is a damaged PDF"),
        (b"same\fsame\fsame", "no text in it"),
    ],
)
def test_unreadable_content(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "source.txt"
    path.write_bytes(content)
    with pytest.raises(ExtractionError) as caught:
        read_document(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ExtractionError, match=r"no such file: .*nowhere\.txt"):
        read_document(str(tmp_path / "nowhere.txt"))
    with pytest.raises(ExtractionError, match="is a folder"):
        read_document(str(tmp_path))


def test_empty_stdin_is_named_in_words() -> None:
    with pytest.raises(ExtractionError, match=r"^standard input is empty"):
        read_document("-", stdin=BytesIO())


def test_text_called_pdf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "page.pdf"
    path.write_text("<html>Not found</html>", encoding="utf-8")
    with pytest.raises(ExtractionError, match="no %PDF header"):
        read_document(str(path))


def test_encrypted_pdf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.pdf"
    write_pdf(path, ["Secret."])
    encrypt(path, password="salt")
    with pytest.raises(ExtractionError, match="is encrypted"):
        read_document(str(path))


@pytest.mark.parametrize(("pages", "where"), [(1, "page 1;"), (4, "any of pages 1-4;")])
def test_scanned_pdf_is_refused_and_its_pages_are_named(tmp_path: Path, pages: int, where: str) -> None:
    path = tmp_path / "scan.pdf"
    write_pdf(path, [""] * pages)
    with pytest.raises(ExtractionError, match=rf"no text on {where}.*OCR"):
        read_document(str(path))


def test_a_scan_with_stamped_headers_is_still_a_scan(tmp_path: Path) -> None:
    path = tmp_path / "stamped.pdf"
    write_pdf(path, [""] * 3, header="Archive copy", footer="{number}")
    with pytest.raises(ExtractionError, match="page headers"):
        read_document(str(path))


def test_a_truncated_pdf_never_escapes_the_error_tree(tmp_path: Path) -> None:
    whole = (SAMPLES / "halvorsen-report.pdf").read_bytes()
    path = tmp_path / "cut.pdf"
    for length in range(10, len(whole), 701):
        path.write_bytes(whole[:length])
        try:
            assert read_document(str(path)).text
        except ExtractionError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Annual Report (2023)", "annual-report-2023"),
        ("snake_case.v1.2", "snake_case.v1.2"),
        ("Été à Zürich", "ete-a-zurich"),
        ("..", ""),
        ("../../etc/passwd", "etc-passwd"),
        ("報告", ""),
        ("x" * 300, "x" * MAX_NAME_LENGTH),
    ],
)
def test_slug(text: str, expected: str) -> None:
    assert slug(text) == expected
    assert slug(expected) == expected


def test_a_file_name_without_latin_letters_falls_back_to_the_hash(tmp_path: Path) -> None:
    path = tmp_path / "報告.txt"
    path.write_text("text", encoding="utf-8")
    document = read_document(str(path))
    assert document.name == f"document-{document.sha256[:8]}"


@pytest.mark.parametrize("name", ["", "My Report", ".hidden", "a/b", "..", "x" * (MAX_NAME_LENGTH + 1)])
def test_names_that_are_no_slug_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a document"):
        check_name(name)
    with pytest.raises(UsageError, match="cannot name a document"):
        read_document("-", name=name, stdin=BytesIO(b"text"))


def test_a_refused_name_comes_with_the_nearest_good_one() -> None:
    with pytest.raises(UsageError, match="try 'my-report'"):
        check_name("My Report")


def test_sample_pdf_and_text_are_the_same_document() -> None:
    text = read_document(str(SAMPLES / "halvorsen-report.txt"))
    pdf = read_document(str(SAMPLES / "halvorsen-report.pdf"))
    assert [page.split() for page in pdf.pages] == [page.split() for page in text.pages]
    assert len(pdf.pages) == 4
    assert 900 <= len(text.text.split()) <= 1000


def test_sample_pdf_is_what_its_writer_makes_of_the_sample_text(tmp_path: Path) -> None:
    text = (SAMPLES / "halvorsen-report.txt").read_text(encoding="utf-8")
    write_pdf(tmp_path / "again.pdf", text.split("\f"), SAMPLE_HEADER, SAMPLE_FOOTER)
    packaged = SAMPLES / "halvorsen-report.pdf"
    assert (tmp_path / "again.pdf").read_bytes() == packaged.read_bytes()
    raw = pypdf.PdfReader(packaged).pages[1].extract_text()
    assert SAMPLE_HEADER in raw and "Page 2 of 4" in raw


def test_sample_answers_stand_on_their_pages() -> None:
    pages = read_document(str(SAMPLES / "halvorsen-report.pdf")).pages
    lines = (SAMPLES / "halvorsen-questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines]
    assert len(questions) == 10
    for question in questions:
        assert set(question) == {"question", "answer", "page"}
        assert question["answer"] in pages[question["page"] - 1]


@pytest.mark.parametrize("content", [b"<![x[ y ]]>", b"<html>" + b"<div>" * 20_000])
def test_whatever_a_reader_raises_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.html"
    path.write_bytes(content)
    try:
        read_document(str(path))
    except ExtractionError as error:
        assert "\n" not in str(error)
