"""PDF: the two readers, passwords, and the words that pdftotext finds."""

import shutil
import subprocess
import unicodedata
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pypdf
import pypdfium2
import pytest
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table
from sample_pdf import SAMPLES, write_pdf

from dmdoc.document import read_document
from dmdoc.errors import ExtractionError, UsageError

CASES = Path(__file__).parent.parent / "cases"
PROSE = (SAMPLES / "halvorsen-report.txt").read_text(encoding="utf-8").replace("\f", "\n")


def encrypted(path: Path, *, password: str) -> Path:
    """A PDF file with an encrypted one page. RC4, because AES needs a package that pypdf does not bring."""
    write_pdf(path, ["Secret salt."])
    writer = pypdf.PdfWriter(clone_from=path)
    writer.encrypt(user_password=password, owner_password="owner", algorithm="RC4-128")
    writer.write(path)
    return path


def test_pdfium_reads_first_and_the_report_says_so(tmp_path: Path) -> None:
    write_pdf(tmp_path / "three.pdf", ["First page.", "", "Third."])
    report = read_document(str(tmp_path / "three.pdf")).extraction
    assert (report.reader, report.pages, report.empty_pages) == ("pypdfium2", 3, (2,))
    assert report.characters == (11, 0, 6)


@pytest.mark.parametrize("password", ["salt", "owner"])
def test_an_encrypted_pdf_opens_with_its_password(tmp_path: Path, password: str) -> None:
    path = encrypted(tmp_path / "secret.pdf", password="salt")
    assert read_document(str(path), password=password).text == "Secret salt."


def test_a_wrong_password_is_not_a_missing_one(tmp_path: Path) -> None:
    path = encrypted(tmp_path / "secret.pdf", password="salt")
    with pytest.raises(ExtractionError, match="give its password"):
        read_document(str(path))
    with pytest.raises(ExtractionError, match="not with the password that was given"):
        read_document(str(path), password="brine")


def test_only_a_pdf_takes_a_password() -> None:
    with pytest.raises(UsageError, match="standard input is not a PDF"):
        read_document("-", password="salt", stdin=BytesIO(b"text"))


def fail(*_arguments: object, **_options: object) -> None:
    raise pypdfium2.PdfiumError("no luck", err_code=3)


def test_pypdf_reads_what_pdfium_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pdf(tmp_path / "plain.pdf", ["First page.", "Second."])
    locked = encrypted(tmp_path / "secret.pdf", password="salt")
    monkeypatch.setattr(pypdfium2, "PdfDocument", fail)
    document = read_document(str(tmp_path / "plain.pdf"))
    assert (document.pages, document.reader) == (("First page.", "Second."), "pypdf")
    assert read_document(str(locked), password="salt").text == "Secret salt."
    with pytest.raises(ExtractionError, match="is encrypted; give"):
        read_document(str(locked))


def test_a_hyphen_at_a_line_end_joins_the_word_and_one_before_a_name_stays(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "hyphens.pdf"))
    for index, line in enumerate(["The plain consid-", "eration of the Anglo-", "Saxon brine."]):
        canvas.drawString(72, 700 - 14 * index, line)
    canvas.save()
    text = read_document(str(tmp_path / "hyphens.pdf")).text
    assert text == "The plain consideration of the Anglo-Saxon brine."


def two_columns(path: Path) -> None:
    canvas = Canvas(str(path), pagesize=A4)
    canvas.setFont("Helvetica", 9)
    words = PROSE.split()
    lines = [" ".join(words[start : start + 7]) for start in range(0, 560, 7)]
    for index, line in enumerate(lines):
        column, row = divmod(index, 40)
        canvas.drawString(60 + 250 * column, 760 - 16 * row, line)
    canvas.save()


def ligatures_and_hyphens(path: Path) -> None:
    pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))
    canvas = Canvas(str(path), pagesize=A4)
    canvas.setFont("Vera", 11)
    lines = [
        "The of\ufb01ce of the chief \ufb01nancial of\ufb01cer \ufb01led a different con-",
        "clusion: the \ufb02ow of brine was suf\ufb01-",
        "cient, and the \ufb01fth shift af\ufb01rmed it after-",
        "wards. The \ufb02oor was \ufb02ooded; efforts to offset it failed.",
    ]
    for index, line in enumerate(lines * 10):
        canvas.drawString(72, 780 - 16 * index, line)
    canvas.save()


def table(path: Path) -> None:
    rows = [["Lot", "Tonnes", "Buyer"]]
    rows += [[f"Lot {number}", f"{number * 37:,}", f"Buyer & Sons {number}"] for number in range(1, 25)]
    grid = Table(rows, style=[("GRID", (0, 0), (-1, -1), 0.5, colors.black)])
    intro = Paragraph(
        "The lots that were sold in the year, with their buyers.", getSampleStyleSheet()["Normal"]
    )
    SimpleDocTemplate(str(path), pagesize=A4).build([intro, grid])


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
@pytest.mark.parametrize("write", [two_columns, ligatures_and_hyphens, table])
def test_every_word_that_pdftotext_finds_is_found(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "page.pdf"
    write(path)
    run = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, check=True)
    # pdftotext leaves the ligatures that the font has as they are.
    expected = Counter(unicodedata.normalize("NFKC", run.stdout.decode()).split())
    found = Counter(read_document(str(path)).text.split())
    recall = (expected & found).total() / expected.total()
    assert expected.total() > 70
    assert recall >= 0.98, f"{recall:.3f}: {expected - found}"


def test_what_is_filled_in_stands_beside_its_label() -> None:
    text = read_document(str(CASES / "form.pdf")).text
    assert (
        text == "Registration of a boat\n\nName of the boat: Marsh Heron\nOwner: Ottoline Brack\nInsured: yes"
    )


def test_fields_of_every_kind_and_notes(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "form.pdf"), pagesize=A4)
    form = canvas.acroForm
    labels = ["Harbour", "Paid", "Berth", "Remarks", "Secret"]
    for row, label in enumerate(labels):
        canvas.drawString(72, 700 - 40 * row, label)
    form.choice(name="harbour", value="Marl", options=["Ferrow", "Marl"], x=200, y=695, width=100, height=20)
    form.checkbox(name="paid", checked=False, x=200, y=655, size=16)
    form.textfield(name="berth", value="12 B", x=200, y=615, width=100, height=20)
    form.textfield(name="remarks", value="", x=200, y=575, width=100, height=20)
    form.textfield(name="secret", value="hush", x=200, y=535, width=100, height=20, fieldFlags="password")
    canvas.textAnnotation("Ask the harbour master.", Rect=[72, 400, 90, 418])
    canvas.save()
    text = read_document(str(tmp_path / "form.pdf")).text
    assert (
        text
        == "Harbour | Marl\nPaid | no\nBerth | 12 B\n\nRemarks\nSecret\n\n[Note: Ask the harbour master.]"
    )


def test_a_page_without_text_is_told() -> None:
    document = read_document(str(CASES / "scan-mixed.pdf"))
    assert document.warnings == ("no text on page 2; scanned pages need OCR",)


def test_columns_of_the_case() -> None:
    assert read_document(str(CASES / "twocol-rowwise.pdf")).text == (
        "The parish of Wexcombe keeps a herd of forty-one goats on the common. The herdsman is Aldous Merrin, who has "
        "held the post since 1998.\n\nThe mill at Wexcombe was sold in 2011 to the baker Petra Holloway. It grinds rye "
        "and barley on Mondays and is closed in winter."
    )


def test_hyphens_of_the_case() -> None:
    text = read_document(str(CASES / "hyphen.pdf")).text
    for word in ("well-known", "self-propelled", "0800-4411-77", "captain", "warehouse", "Aske-Norling"):
        assert word in text
