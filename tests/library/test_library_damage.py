"""Every file of a saved document is bound to the others: what was altered is told or changes nothing that is read."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from test_library import document, header_of, ingest, save_section, state_of

from dmdoc.errors import DmdocError
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.state_file import save_state


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "data" / "dmdoc")


def reading(library: Library) -> object:
    """All that can be read of the document; None where any of it is damaged."""
    try:
        saved = library.get("report")
        state, header = saved.state()
        assert saved.header() == header
        return (saved, saved.pages(), header, [layer.tolist() for layer in state.layers])
    except DmdocError as error:
        assert "\n" not in str(error)
        return None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["document.json", "pages.json", "state.safetensors"])
def test_a_flipped_bit_in_any_byte_is_noticed(library: Library, name: str) -> None:
    ingest(library, document())
    library.tag("report", add=["salt"])
    whole, path = reading(library), library.get("report").folder / name
    assert whole is not None
    content = path.read_bytes()
    bits = random.Random(0)
    for at in range(len(content)):
        altered = bytearray(content)
        altered[at] ^= 1 << bits.randrange(8)
        path.write_bytes(bytes(altered))
        assert reading(library) is None, f"byte {at} of {len(content)}"
    path.write_bytes(content)
    assert reading(library) == whole


@pytest.mark.slow
def test_a_flipped_bit_in_current_never_names_another_document(library: Library) -> None:
    for name in ("report-1", "report-0", "report-3"):
        ingest(library, document(name=name))
    library.keep("report-1")
    path = library.root / "current"
    content = path.read_bytes()
    for at in range(len(content)):
        for bit in range(8):
            altered = bytearray(content)
            altered[at] ^= 1 << bit
            path.write_bytes(bytes(altered))
            with pytest.raises(DmdocError, match="no document is current"):
                library.current()
    ingest(library, document(name="report-0"))
    assert library.current().name == "report-0"


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"no such name!", b"{}", b"[" * 100_000, b"../report\n"]
)
def test_a_current_that_says_nothing_stops_no_command(library: Library, content: bytes) -> None:
    ingest(library, document())
    (library.root / "current").write_bytes(content)
    with pytest.raises(DmdocError, match="no document is current; saved: report"):
        library.current()
    assert not library.is_current(library.get("report"))
    assert library.rename("report", "thesis").name == "thesis"
    library.remove("thesis")
    assert library.names() == ()


def of_another(name: str) -> Callable[[SavedDocument, SavedDocument], object]:
    return lambda saved, other: shutil.copy(other.folder / name, saved.folder / name)


@pytest.mark.parametrize("name", ["pages.json", "state.safetensors"])
def test_a_file_of_another_ingest_of_the_same_text_is_noticed(library: Library, name: str) -> None:
    """The text is the same and so is its hash; the pages and the time are not."""
    text = document().text
    saved, other = (ingest(library, document(name=name)) for name in ("report", "other"))
    if name == "pages.json":
        record = {"schema": 1, "pages": text.split("\n\n")}
        (saved.folder / name).write_text(json.dumps(record), encoding="utf-8")
    else:
        from dataclasses import replace

        later = replace(header_of(document()), created="2030-01-01T00:00:00+00:00")
        save_state(other.state_path, state_of(document()), later)
        of_another(name)(saved, other)
    with pytest.raises(DmdocError, match="replaced or altered"):
        (saved.pages if name == "pages.json" else saved.state)()


@pytest.mark.parametrize("name", ["document.json", "pages.json", "partial-0.safetensors"])
def test_an_altered_staged_file_is_not_gone_on_with(library: Library, name: str) -> None:
    staged = library.begin(document())
    save_section(library, staged, document(), 0)
    path = staged.folder / name
    path.write_bytes(path.read_bytes().replace(b"old", b"odd") if "pages" in name else path.read_bytes()[:-9])
    if name != "partial-0.safetensors":
        assert library.begin(document()).partial_state() is None
    library.begin(document(), restart=name == "partial-0.safetensors")
    assert ingest(library, document()).pages() == document().pages


def test_batches_of_different_runs_are_not_put_together(library: Library) -> None:
    from dataclasses import replace

    from test_library import SECTIONS

    staged = library.begin(document())
    save_section(library, staged, document(), 0)
    other = replace(header_of(document(), SECTIONS[1:2]), write_budget=1)
    library.save_partial(staged, 1, state_of(document(), range(1, 2)), other)
    with pytest.raises(DmdocError, match="was not written as the batches before it"):
        staged.partial_state()


def test_a_document_from_before_checksums_gets_them_with_its_next_tag(library: Library) -> None:
    saved = ingest(library, document())
    path = saved.folder / "document.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    del record["files"], record["checksum"]
    path.write_text(json.dumps({**record, "schema": 1}), encoding="utf-8")
    assert library.get("report").pages_sha256 is None
    assert library.tag("report", add=["old"]).pages_sha256 == saved.pages_sha256
    assert library.get("report").header_sha256 == saved.header_sha256
    assert json.loads(path.read_text(encoding="utf-8"))["schema"] == 2
