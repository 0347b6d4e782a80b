"""Documents read in a process of its own: what a file does to it is the failure of that file alone."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from sample_pdf import SAMPLES

from dmdoc.document import IsolatedReader, Limits, isolated, read_document
from dmdoc.errors import DmdocError, ExtractionError, UsageError

CASES = Path(__file__).parent.parent / "cases"
HUNG = """
import sys, time
while line := sys.stdin.readline():
    if "hang" in bytes.fromhex(line.split('"source": "')[1].split('"')[0]).decode():
        time.sleep(60)
    print('{"error": "ExtractionError", "message": "told"}', flush=True)
"""


@pytest.fixture
def reader() -> Iterator[IsolatedReader]:
    with IsolatedReader() as opened:
        yield opened


@pytest.mark.parametrize("name", ["form.pdf", "mail.eml", "utf16le-nobom.txt", "scan-mixed.pdf"])
def test_it_reads_what_is_read_here(reader: IsolatedReader, name: str) -> None:
    found, here = reader.read(str(CASES / name)), read_document(str(CASES / name))
    assert (found, found.reader, found.warnings) == (here, here.reader, here.warnings)


def test_standard_input_names_and_passwords_are_handed_over(reader: IsolatedReader) -> None:
    document = reader.read("-", name="salt", stdin=BytesIO(b"Salt.\n\xc3\xa9"))
    assert (document.name, document.source, document.text) == ("salt", "-", "Salt.\né")
    with pytest.raises(UsageError, match="standard input is not a PDF"):
        reader.read("-", password="x", stdin=BytesIO(b"Salt."))


@pytest.mark.slow
def test_one_process_reads_all_and_goes_on_after_a_failure(
    reader: IsolatedReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = []
    start = isolated.started

    def counting(memory: int) -> "subprocess.Popen[bytes]":
        processes.append(start(memory))
        return processes[-1]

    monkeypatch.setattr(isolated, "started", counting)
    odd = tmp_path / os.fsdecode(b"caf\xe9.html")
    odd.write_bytes(b"<p>Salt.</p>")
    (tmp_path / "empty.txt").write_bytes(b"")
    assert reader.read(str(odd)).source == str(odd)
    with pytest.raises(ExtractionError, match="is empty"):
        reader.read(str(tmp_path / "empty.txt"))
    assert reader.read(str(odd)).text == "Salt."
    assert len(processes) == 1


def test_a_death_is_the_failure_of_one_document(
    reader: IsolatedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = isolated.started

    def doomed(_: int) -> "subprocess.Popen[bytes]":
        monkeypatch.setattr(isolated, "started", start)
        return subprocess.Popen(
            [sys.executable, "-c", "import os; os.abort()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    monkeypatch.setattr(isolated, "started", doomed)
    with pytest.raises(ExtractionError, match=rf"its reader ended \(signal {int(signal.SIGABRT)}\)"):
        reader.read(str(CASES / "form.pdf"))
    assert reader.read(str(CASES / "mail.eml")).reader == "mail"


@pytest.mark.slow
def test_the_clock_ends_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    def hanging(_: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-c", HUNG], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    monkeypatch.setattr(isolated, "started", hanging)
    with IsolatedReader(Limits(seconds=1.0)) as reader:
        begun = time.monotonic()
        with pytest.raises(ExtractionError, match=r"was not read within 1 seconds; .*more time"):
            reader.read("hang.txt")
        assert time.monotonic() - begun < 20
        with pytest.raises(ExtractionError, match="told"):
            reader.read("other.txt")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
@pytest.mark.parametrize("megabytes", [120, 200, 330])  # it runs out in different places
def test_memory_is_limited(megabytes: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "large.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"<x>" + b"<a/>" * 1_000_000 + b"</x>")
    with IsolatedReader(Limits(memory=megabytes << 20)) as reader:
        with pytest.raises(ExtractionError, match=f"takes more than {megabytes} MB of memory to be read"):
            reader.read(str(tmp_path / "large.docx"))
        assert reader.read(str(SAMPLES / "sorrel-note.txt")).text


@pytest.mark.parametrize("name", ["halvorsen-report.txt", "halvorsen-report.pdf"])
def test_text_is_bounded(name: str) -> None:
    with pytest.raises(ExtractionError, match=r"more than the .* MB of text .*raise that limit"):
        read_document(str(SAMPLES / name), limits=Limits(text=500))


@pytest.mark.parametrize("name", ["mail.eml", "note.rtf", "nb.ipynb", "jsonly.html"])
def test_text_with_markup_is_bounded_too(name: str) -> None:
    with pytest.raises(ExtractionError, match="more than the"):
        read_document(str(CASES / name), limits=Limits(text=50))


def test_a_name_that_the_process_makes_up_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = '{"document": {"name": "../../x", "pages": ["a"], "reader": "text", "remarks": []}}'
    program = f"import sys; sys.stdin.readline(); print({reply!r}, flush=True)"

    def lying(_: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    monkeypatch.setattr(isolated, "started", lying)
    with IsolatedReader() as reader, pytest.raises(DmdocError):
        reader.read("a.txt")
