"""Documents as files to hand over: they arrive as they left, without a trace of the machine, or not at all."""

import hashlib
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Once
from tiny import tiny_pointer, tiny_reader

from dmdoc.document import Document
from dmdoc.errors import BundleError, UsageError
from dmdoc.ingest.single import ingest
from dmdoc.library.bundle import MOST_BYTES, install, read_bundle, write_bundle
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.state_file import pack_state
from dmdoc.memory.state_header import Identity
from dmdoc.model.reader import Reader

REPORT = Document(
    "report", "/secret/place/report.txt", ("Lot seven holds salt.", "", "Lot eight holds brine.")
)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader()


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


@pytest.fixture
def saved(library: Library, once: Once) -> SavedDocument:
    once(library.root, save_report)
    return library.get("report")


def save_report(folder: Path) -> None:
    ingest(REPORT, tiny_reader(), Library(folder))
    Library(folder).tag("report", add=["salt"])


def test_a_document_is_the_same_in_another_library(saved: SavedDocument, tmp_path: Path) -> None:
    write_bundle(saved, tmp_path / "report.dmdoc")
    there, _ = install(read_bundle(tmp_path / "report.dmdoc"), Library(tmp_path / "there"), tags=["new"])
    assert (there.name, there.pages(), there.tags) == ("report", REPORT.pages, ("new", "salt"))
    assert there.state()[0].equals(saved.state()[0])
    assert there.header() == saved.header()


def test_what_a_pointer_has_of_the_text_goes_with_it(library: Library, tmp_path: Path) -> None:
    saved = ingest(REPORT, tiny_reader(pointer=tiny_pointer()), library).document
    write_bundle(saved, tmp_path / "report.dmdoc")
    there, _ = install(read_bundle(tmp_path / "report.dmdoc"), Library(tmp_path / "there"))
    state, _ = there.state()
    assert state.vectors is not None
    assert state.equals(saved.state()[0])


def test_the_same_document_gives_the_same_bytes(saved: SavedDocument, tmp_path: Path) -> None:
    files = [tmp_path / "one.dmdoc", tmp_path / "two.dmdoc"]
    assert [write_bundle(saved, file) for file in files] == [files[0].stat().st_size] * 2
    assert files[0].read_bytes() == files[1].read_bytes()


def test_no_path_of_this_machine_is_inside(reader: Reader, library: Library, tmp_path: Path) -> None:
    local = Identity("/secret/models/mine", "2" * 64)
    elsewhere = replace(
        reader,
        backbone=replace(reader.backbone, identity=local, tokenizer_identity=local),
        adapter_identity=replace(local, name="/secret/adapters/mine"),
    )
    ingest(REPORT, elsewhere, library)
    write_bundle(library.get("report"), tmp_path / "report.dmdoc")
    with zipfile.ZipFile(tmp_path / "report.dmdoc") as archive:
        assert not any(b"secret" in archive.read(name) for name in archive.namelist())
    bundle = read_bundle(tmp_path / "report.dmdoc")
    assert (bundle.document.source, bundle.header.backbone.name) == ("report.txt", "mine")
    assert bundle.header.backbone.sha256 == local.sha256


def test_an_import_never_replaces_another_text(
    saved: SavedDocument, library: Library, tmp_path: Path
) -> None:
    write_bundle(saved, tmp_path / "report.dmdoc")
    bundle = read_bundle(tmp_path / "report.dmdoc")
    other = Library(tmp_path / "there")
    install(bundle, other)
    altered = replace(bundle, document=replace(bundle.document, pages=("Another text.",)))
    with pytest.raises(UsageError, match="'report' is taken"):
        install(altered, other)
    install(bundle, other, name="second")
    assert other.names() == ("report", "second")


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The archive with other members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def with_record(**values: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members["document.json"] = json.dumps({**json.loads(members["document.json"]), **values}).encode()

    return change


def forged(**values: object) -> Callable[[dict[str, bytes]], None]:
    """As `with_record`, with the hash that belongs to it: whoever makes a bundle can compute it."""

    def change(members: dict[str, bytes]) -> None:
        record = {**json.loads(members["document.json"]), **values}
        del record["record_sha256"]
        sha256 = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
        members["document.json"] = json.dumps({**record, "record_sha256": sha256}).encode()

    return change


def other_text(members: dict[str, bytes]) -> None:
    members["pages.json"] = members["pages.json"].replace(b"salt", b"sand")


def other_number(members: dict[str, bytes]) -> None:
    state = members["state.safetensors"]
    members["state.safetensors"] = state[:-1] + bytes([state[-1] ^ 1])


def escaping(members: dict[str, bytes]) -> None:
    members["../escaped.txt"] = b"anything"


def broken_characters(members: dict[str, bytes]) -> None:
    members["pages.json"] = b'{"pages": ["\\ud800"]}'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_text, "does not match its hashes"),
        (other_number, "does not match its hashes"),
        (broken_characters, "does not match its hashes"),
        (lambda members: members.pop("pages.json"), "is not a .dmdoc file"),
        (escaping, "is not a .dmdoc file"),
        (forged(name="../report"), "does not match its hashes"),
        (forged(name=""), "does not match its hashes"),
        (forged(source=7), "does not match its hashes"),
        (forged(source="s" * 5_000), "does not match its hashes"),
        (forged(sha256="0" * 64), "does not match its hashes"),
        (forged(tags="salt"), "does not match its hashes"),
        (forged(tags=["no tag"]), "does not match its hashes"),
        (forged(tags=[f"tag-{number}" for number in range(1_001)]), "does not match its hashes"),
        (with_record(format="something"), "is not a .dmdoc file"),
        (with_record(tags=["other"]), "does not match its hashes"),
        (with_record(source="other.txt"), "does not match its hashes"),
        (with_record(version="1"), "does not match its hashes"),
        (with_record(version=float("inf")), "does not match its hashes"),
        (lambda members: members.update({"document.json": b"[" * 200_000}), "does not match its hashes"),
        (lambda members: members.update({"pages.json": b'{"pages":' * 100_000}), "does not match its hashes"),
        (with_record(version=3), "written by a newer dmdoc"),
    ],
)
def test_what_was_altered_is_refused(
    saved: SavedDocument, tmp_path: Path, change: Callable[[dict[str, bytes]], None], message: str
) -> None:
    path = tmp_path / "report.dmdoc"
    write_bundle(saved, path)
    with pytest.raises(BundleError, match=message):
        read_bundle(rewritten(path, change))
    assert not (tmp_path / "escaped.txt").exists()


def test_what_is_no_bundle_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved: SavedDocument
) -> None:
    with pytest.raises(BundleError, match="no such file"):
        read_bundle(tmp_path / "missing.dmdoc")
    (tmp_path / "text.dmdoc").write_text("a text", encoding="utf-8")
    with pytest.raises(BundleError, match=r"is not a \.dmdoc file, or is damaged"):
        read_bundle(tmp_path / "text.dmdoc")
    write_bundle(saved, tmp_path / "large.dmdoc")
    monkeypatch.setattr("dmdoc.library.bundle.MOST_BYTES", dict.fromkeys(MOST_BYTES, 100))
    with pytest.raises(BundleError, match="more than 100 bytes"):
        read_bundle(tmp_path / "large.dmdoc")


def test_a_folder_that_cannot_be_written_is_one_line(saved: SavedDocument, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="choose another place"):
        write_bundle(saved, tmp_path / "missing" / "report.dmdoc")


def test_what_is_here_already_is_unchanged(saved: SavedDocument, tmp_path: Path) -> None:
    write_bundle(saved, tmp_path / "report.dmdoc")
    bundle, there = read_bundle(tmp_path / "report.dmdoc"), Library(tmp_path / "there")
    _, fresh = install(bundle, there)
    files = [path for path in there.root.rglob("*") if path.is_file()]
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in files}
    assert (fresh, install(bundle, there)[1]) == (True, False)
    assert {path: (path.stat().st_ino, path.read_bytes()) for path in files} == before
    again, fresh = install(bundle, there, tags=["late"])
    assert (again.tags, fresh) == (("late", "salt"), False)
    written = {path.name for path in files if path.stat().st_ino != before[path][0]}
    assert written == {"document.json"}


def test_a_text_that_was_read_here_is_unchanged_and_keeps_what_it_has(
    saved: SavedDocument, library: Library, tmp_path: Path
) -> None:
    write_bundle(saved, tmp_path / "report.dmdoc")
    library.tag("report", remove=["salt"])
    before = {path: path.stat().st_ino for path in library.root.rglob("*") if path.is_file()}
    again, fresh = install(read_bundle(tmp_path / "report.dmdoc"), library)
    assert (fresh, again.source, again.tags) == (False, REPORT.source, ())
    assert {path: path.stat().st_ino for path in library.root.rglob("*") if path.is_file()} == before


def test_an_import_puts_a_damaged_state_right(saved: SavedDocument, tmp_path: Path) -> None:
    write_bundle(saved, tmp_path / "report.dmdoc")
    bundle, there = read_bundle(tmp_path / "report.dmdoc"), Library(tmp_path / "there")
    install(bundle, there)[0].state_path.write_bytes(b"")
    again, fresh = install(bundle, there)
    assert fresh and again.state()[0].equals(saved.state()[0])


def test_a_bad_tag_is_refused_before_anything_is_saved(saved: SavedDocument, tmp_path: Path) -> None:
    write_bundle(saved, tmp_path / "report.dmdoc")
    there = Library(tmp_path / "there")
    with pytest.raises(UsageError):
        install(read_bundle(tmp_path / "report.dmdoc"), there, tags=["good", "no tag!"])
    assert there.names() == ()


@pytest.mark.parametrize("pages", [(0, 1), (1, 9), (2, 1)])
def test_a_section_on_no_page_of_the_text_is_refused(
    pages: tuple[int, int], saved: SavedDocument, tmp_path: Path
) -> None:
    path = tmp_path / "report.dmdoc"
    write_bundle(saved, path)
    state, header = saved.state()
    wrong = tuple(each._replace(first_page=pages[0], last_page=pages[1]) for each in header.sections)
    packed = pack_state(state, replace(header, sections=wrong))
    with pytest.raises(BundleError, match="does not match its hashes"):
        read_bundle(rewritten(path, lambda members: members.update({"state.safetensors": packed})))


@pytest.mark.parametrize(
    "content",
    [
        b"[" + b"[]," * 300_000,
        b'{"pages": [' + b"[]," * 300_000 + b"[]]}",
        b'{"pages": ["' + b'","' * 300_000 + b'"]}',
        b'{"pages": ["a"], "pages": ["b"]}',
        b'{"pages": []}',
        b'{"pages": ["a", 1]}',
        b'{"pages": ["a"',
    ],
)
def test_what_is_no_page_is_not_even_parsed(
    content: bytes, saved: SavedDocument, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dmdoc.library.bundle.MOST_PAGES", 1000)
    write_bundle(saved, tmp_path / "report.dmdoc")
    rewritten(tmp_path / "report.dmdoc", lambda members: members.update({"pages.json": content}))
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match="does not match its hashes"):
            read_bundle(tmp_path / "report.dmdoc")
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
    finally:
        tracemalloc.stop()


def test_what_nobody_could_import_is_not_exported(
    saved: SavedDocument, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dmdoc.library.bundle.MOST_BYTES", {**MOST_BYTES, "pages.json": 20})
    with pytest.raises(BundleError, match="too large to hand over"):
        write_bundle(saved, tmp_path / "report.dmdoc")
    assert list(tmp_path.glob("*.dmdoc")) == []
