"""A small PDF writer for tests and for the packaged sample: Helvetica text, one content stream a page.

Run as a script, it makes the packaged sample PDF anew from the packaged sample text:

    python tests/sample_pdf.py
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path

SAMPLES = Path(__file__).parent.parent / "dmdoc" / "samples"
SAMPLE_HEADER = "Halvorsen Brine Works - Annual Report"
SAMPLE_FOOTER = "Page {number} of {count}"

WIDTH, HEIGHT, MARGIN = 595, 842, 72  # A4, in points
FONT_SIZE, LEADING, LINE_LENGTH = 11, 14, 85


def write_pdf(path: Path, pages: Sequence[str], header: str = "", footer: str = "") -> None:
    """Write one PDF page for each text in `pages`: paragraphs wrapped, blank lines kept.

    `{number}` and `{count}` in the header and footer are filled in. A page "" without header and footer has
    no text at all, like a scan. Text must be Latin-1.
    """
    streams = []
    for number, page in enumerate(pages, start=1):
        edges = (edge.format(number=number, count=len(pages)) for edge in (header, footer))
        streams.append(_content(page, *edges))
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for index, stream in enumerate(streams):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * index} 0 R >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    path.write_bytes(_file(objects))


def _content(page: str, header: str, footer: str) -> bytes:
    """The content stream of a page: header, wrapped text, footer."""
    lines = [(HEIGHT - MARGIN / 2, header), (MARGIN / 2, footer)]
    body = [wrapped for line in page.splitlines() for wrapped in _wrap(line)]
    top = HEIGHT - MARGIN
    lines[1:1] = [(top - LEADING * index, line) for index, line in enumerate(body)]
    assert len(body) * LEADING < HEIGHT - 2 * MARGIN, "the text of a page must fit on it"
    shown = [f"1 0 0 1 {MARGIN} {y:g} Tm ({_escaped(line)}) Tj" for y, line in lines if line]
    return "\n".join(["BT", f"/F1 {FONT_SIZE} Tf", *shown, "ET"]).encode("latin-1")


def _wrap(line: str) -> list[str]:
    return textwrap.wrap(line, LINE_LENGTH, break_on_hyphens=False) or [""]


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _file(objects: Sequence[bytes]) -> bytes:
    """Numbered objects, their cross-reference table and the trailer."""
    data = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(data))
    return data + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer


if __name__ == "__main__":
    text = (SAMPLES / "halvorsen-report.txt").read_text(encoding="utf-8")
    write_pdf(SAMPLES / "halvorsen-report.pdf", text.split("\f"), SAMPLE_HEADER, SAMPLE_FOOTER)
