from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import tiny_reader

from dmdoc.adapter import DeltaMemConfig
from dmdoc.chunking import Layout, chunk_document
from dmdoc.document import Document
from dmdoc.errors import UsageError
from dmdoc.ingest import IngestResult, Progress, ingest
from dmdoc.library import Library
from dmdoc.reader import Reader

TEXT = " ".join(f"Fact number {number} is that lot {number * 7} holds salt." for number in range(12))
CONFIG = DeltaMemConfig(write_layout="plain", write_budget=128, evidenced_tokens=400)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


@pytest.fixture
def reader() -> Reader:
    return tiny_reader(CONFIG)


def document(text: str = TEXT, name: str = "lots") -> Document:
    return Document(name=name, source=f"/files/{name}.txt", pages=(text,))


class StopAfter:
    """A progress listener that interrupts an ingest once `chunks` are saved, as Ctrl-C would."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks

    def __call__(self, progress: Progress) -> None:
        if progress.chunks_written == self.chunks:
            raise KeyboardInterrupt


def interrupted(reader: Reader, library: Library, *, after: int, text: str = TEXT) -> None:
    with pytest.raises(KeyboardInterrupt):
        ingest(document(text), reader, library, progress=StopAfter(after))


def state_bytes(result: IngestResult) -> bytes:
    return result.document.state_path.read_bytes()


def test_a_document_becomes_a_saved_state(reader: Reader, library: Library) -> None:
    seen: list[Progress] = []
    result = ingest(document(), reader, library, progress=seen.append)
    header = result.document.header()
    assert result.status == "added"
    assert result.chunks == header.chunks_written == header.chunks_total > 3
    # One character is one token here; the blanks between chunks are dropped.
    assert len(TEXT) - result.chunks < result.tokens == header.tokens_written <= len(TEXT)
    assert header.write_budget == 128
    assert (header.backbone, header.adapter) == (reader.backbone.identity, reader.adapter_identity)
    assert [progress.chunks_written for progress in seen] == list(range(result.chunks + 1))
    assert seen[-1].tokens_written == seen[-1].tokens_total == result.tokens
    assert library.current().name == "lots"


def test_the_saved_state_is_that_of_the_chunks_written_in_order(reader: Reader, library: Library) -> None:
    state, _ = ingest(document(), reader, library).document.state()
    expected = reader.zero_state()
    with torch.no_grad():
        for chunk in chunk_document(TEXT, reader.backbone.tokenizer, budget=128, layout=Layout("plain")):
            expected = reader.write([chunk], expected)
    assert state.equals(expected)


def test_the_same_document_again_does_nothing(
    reader: Reader, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state_bytes(ingest(document(), reader, library))
    monkeypatch.setattr(Reader, "write", lambda *_: pytest.fail("an unchanged document was read again"))
    again = ingest(document(), reader, library)
    assert again.status == "unchanged"
    assert state_bytes(again) == before


def test_force_reads_it_again(reader: Reader, library: Library) -> None:
    ingest(document(), reader, library)
    chunks: list[Progress] = []
    assert ingest(document(), reader, library, force=True, progress=chunks.append).status == "updated"
    assert chunks[0].chunks_written == 0


def test_another_text_under_the_name_is_an_update(reader: Reader, library: Library) -> None:
    ingest(document(), reader, library)
    result = ingest(document(TEXT + " And one more."), reader, library)
    assert result.status == "updated"
    assert result.document.pages()[0].endswith("And one more.")


@pytest.mark.parametrize("after", [1, 3])
def test_an_interrupted_ingest_goes_on_where_it_was(
    reader: Reader, library: Library, tmp_path: Path, after: int
) -> None:
    whole, _ = ingest(document(), reader, Library(tmp_path / "other")).document.state()
    interrupted(reader, library, after=after)
    assert library.names() == ()
    seen: list[Progress] = []
    result = ingest(document(), reader, library, progress=seen.append)
    assert result.status == "resumed"
    assert seen[0].chunks_written == after
    state, header = result.document.state()
    assert state.equals(whole)
    assert header.tokens_written == result.tokens


def test_an_older_state_answers_until_the_update_is_finished(reader: Reader, library: Library) -> None:
    before = state_bytes(ingest(document(), reader, library))
    interrupted(reader, library, after=2, text=TEXT + " More.")
    assert library.get("lots").state_path.read_bytes() == before


def test_a_partial_state_of_other_settings_is_not_continued(reader: Reader, library: Library) -> None:
    interrupted(reader, library, after=2)
    seen: list[Progress] = []
    assert ingest(document(), reader, library, budget=64, progress=seen.append).status == "added"
    assert seen[0].chunks_written == 0


def test_a_partial_state_of_another_adapter_is_not_continued(reader: Reader, library: Library) -> None:
    interrupted(reader, library, after=2)
    seen: list[Progress] = []
    ingest(document(), tiny_reader(CONFIG, seed=5), library, progress=seen.append)
    assert seen[0].chunks_written == 0


def test_a_torn_partial_state_is_written_again(reader: Reader, library: Library) -> None:
    interrupted(reader, library, after=2)
    partial = next(library.root.glob("documents/**/partial.safetensors"))
    partial.write_bytes(partial.read_bytes()[:-10])
    assert ingest(document(), reader, library).status == "added"


def test_the_same_text_for_another_model_is_read_again(reader: Reader, library: Library) -> None:
    ingest(document(), reader, library)
    other = tiny_reader(CONFIG, seed=5)
    result = ingest(document(), other, library)
    assert result.status == "updated"
    assert result.document.header().adapter == other.adapter_identity


def test_a_larger_budget_than_the_adapter_was_trained_with_is_refused(
    reader: Reader, library: Library
) -> None:
    with pytest.raises(
        UsageError, match=r"129 tokens is more than the 128 that tiny-adapter was trained with"
    ):
        ingest(document(), reader, library, budget=129)


def test_a_document_beyond_the_evidence_is_warned_about_by_how_much(reader: Reader, library: Library) -> None:
    (warning,) = ingest(document(), reader, library).warnings
    assert "1.2 times the 400" in warning
    assert ingest(document("Short."), reader, library).warnings == ()


def test_empty_pages_are_named(reader: Reader, library: Library) -> None:
    pages = replace(document(), pages=("Salt.", "", "Brine.", ""))
    (warning,) = ingest(pages, reader, library).warnings
    assert "no text on page 2, 4" in warning


@pytest.mark.parametrize("granularity", ["message_mean", "sentence_mean"])
def test_mean_writes_change_the_state_with_every_chunk(library: Library, granularity: str) -> None:
    reader = tiny_reader(replace(CONFIG, memory_write_granularity=granularity))  # type: ignore[arg-type]
    states = []

    def keep(progress: Progress) -> None:
        if progress.chunks_written:
            partial = next(library.root.glob("documents/**/partial.safetensors"))
            states.append(partial.read_bytes())

    result = ingest(document(), reader, library, progress=keep)
    assert len(set(states)) == result.chunks
