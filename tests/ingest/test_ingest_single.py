from dataclasses import replace
from pathlib import Path

import pytest
from tiny import tiny_pointer, tiny_reader

from dmdoc.document import Document
from dmdoc.errors import UsageError
from dmdoc.ingest.sections import write_text
from dmdoc.ingest.single import IngestProgress, IngestResult, ingest
from dmdoc.library.library import Library
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.model.reader import Reader
from dmdoc.text.chunking import MIN_BUDGET

TEXT = " ".join(f"Fact number {number} is that lot {number * 7} holds salt." for number in range(14))
CONFIG = DeltaMemConfig(write_layout="plain", write_budget=128, evidenced_tokens=400)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "home")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the sections here are written at once."""
    monkeypatch.setattr("dmdoc.ingest.room.BATCH_TOKENS", 256)


@pytest.fixture
def reader() -> Reader:
    return tiny_reader(CONFIG)


def document(text: str = TEXT, name: str = "lots") -> Document:
    return Document(name=name, source=f"/files/{name}.txt", pages=(text,))


class StopAfter:
    """A progress listener that interrupts an ingest once `sections` are saved, as Ctrl-C would."""

    def __init__(self, sections: int) -> None:
        self.sections = sections

    def __call__(self, progress: IngestProgress) -> None:
        if progress.sections_written == self.sections:
            raise KeyboardInterrupt


def interrupted(reader: Reader, library: Library, *, after: int, text: str = TEXT) -> None:
    with pytest.raises(KeyboardInterrupt):
        ingest(document(text), reader, library, progress=StopAfter(after))


def state_bytes(result: IngestResult) -> bytes:
    return result.document.state_path.read_bytes()


def test_a_document_becomes_a_saved_state(reader: Reader, library: Library) -> None:
    seen: list[IngestProgress] = []
    result = ingest(document(), reader, library, progress=seen.append)
    header = result.document.header()
    assert result.status == "added"
    assert result.sections == len(header.sections) == header.sections_total > 3
    # One character is one token here; the blanks between sections are dropped.
    assert len(TEXT) - result.sections < result.tokens == header.tokens_written <= len(TEXT)
    assert header.write_budget == 128
    assert (header.backbone, header.adapter) == (reader.backbone.identity, reader.adapter_identity)
    assert [progress.sections_written for progress in seen] == [0, 2, 4, 5]
    assert seen[-1].tokens_written == seen[-1].tokens_total == result.tokens
    assert library.current().name == "lots"


def test_a_section_knows_nothing_of_the_others(reader: Reader, library: Library) -> None:
    state, header = ingest(document(), reader, library).document.state()
    for number, chunk in enumerate(reader.chunks(TEXT)):
        alone = write_text(chunk.text, reader)
        assert header.sections[number].tokens == len(chunk.token_ids)
        for layer, expected in zip(state.layers, alone.layers, strict=True):
            assert float((layer[number] - expected[0]).abs().max()) < 1e-5


def test_sections_know_their_pages(reader: Reader, library: Library) -> None:
    pages = ("Lot 1 holds salt. " * 9, "", "Lot 2 is empty.", "Lot 3 holds brine. " * 6)
    header = ingest(
        replace(document(), pages=tuple(map(str.strip, pages))), reader, library
    ).document.header()
    assert [section[1:] for section in header.sections] == [(1, 1), (1, 3), (4, 4)]


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
    seen: list[IngestProgress] = []
    assert ingest(document(), reader, library, force=True, progress=seen.append).status == "updated"
    assert seen[0].sections_written == 0


def test_another_text_under_the_name_is_an_update(reader: Reader, library: Library) -> None:
    ingest(document(), reader, library)
    result = ingest(document(TEXT + " And one more."), reader, library)
    assert result.status == "updated"
    assert result.document.pages()[0].endswith("And one more.")


@pytest.mark.parametrize("after", [2, 4, 5])
def test_an_interrupted_ingest_goes_on_where_it_was(
    reader: Reader, library: Library, tmp_path: Path, after: int
) -> None:
    whole, _ = ingest(document(), reader, Library(tmp_path / "other")).document.state()
    interrupted(reader, library, after=after)
    assert library.names() == ()
    seen: list[IngestProgress] = []
    result = ingest(document(), reader, library, progress=seen.append)
    assert result.status == "resumed"
    assert seen[0].sections_written == after
    state, header = result.document.state()
    assert state.equals(whole)
    assert header.tokens_written == result.tokens


def test_what_a_pointer_has_of_the_text_is_kept_where_it_goes_on(library: Library, tmp_path: Path) -> None:
    reader = tiny_reader(CONFIG, pointer=tiny_pointer())
    whole, _ = ingest(document(), reader, Library(tmp_path / "other")).document.state()
    interrupted(reader, library, after=2)
    result = ingest(document(), reader, library)
    assert result.status == "resumed"
    state, _ = result.document.state()
    assert state.vectors is not None
    assert state.equals(whole)


def test_an_older_state_answers_until_the_update_is_finished(reader: Reader, library: Library) -> None:
    before = state_bytes(ingest(document(), reader, library))
    interrupted(reader, library, after=2, text=TEXT + " More.")
    assert library.get("lots").state_path.read_bytes() == before


def test_a_partial_state_of_other_settings_is_not_continued(reader: Reader, library: Library) -> None:
    interrupted(reader, library, after=2)
    seen: list[IngestProgress] = []
    assert ingest(document(), reader, library, budget=64, progress=seen.append).status == "added"
    assert seen[0].sections_written == 0


def test_a_partial_state_of_another_adapter_is_not_continued(reader: Reader, library: Library) -> None:
    interrupted(reader, library, after=2)
    seen: list[IngestProgress] = []
    ingest(document(), tiny_reader(CONFIG, seed=5), library, progress=seen.append)
    assert seen[0].sections_written == 0


def test_a_torn_partial_state_is_written_again(reader: Reader, library: Library) -> None:
    interrupted(reader, library, after=2)
    partial = next(library.root.glob("documents/**/partial-0.safetensors"))
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


@pytest.mark.parametrize("budget", [0, -5])
def test_a_budget_of_nothing_is_refused(budget: int, reader: Reader, library: Library) -> None:
    with pytest.raises(UsageError, match=f"a write budget is at least {MIN_BUDGET} tokens, got {budget}"):
        ingest(document(), reader, library, budget=budget)


def test_a_section_beyond_the_evidence_is_warned_about(reader: Reader, library: Library) -> None:
    (warning,) = ingest(
        document(), tiny_reader(replace(CONFIG, write_budget=1000)), library, force=True
    ).warnings
    assert "writes of up to 400 tokens, and one of this has 5" in warning
    assert "less of it will be recalled" in warning


def test_a_document_of_many_sections_is_not(reader: Reader, library: Library) -> None:
    written = ingest(document(), reader, library)
    assert len(written.document.header().sections) == 5
    assert written.warnings == ()


def test_empty_pages_are_named(reader: Reader, library: Library) -> None:
    pages = replace(document(), pages=("Salt.", "", "Brine.", ""))
    (warning,) = ingest(pages, reader, library).warnings
    assert "no text on pages 2, 4" in warning


@pytest.mark.parametrize("granularity", ["message_mean", "sentence_mean"])
def test_mean_writes_give_every_section_a_state_of_its_own(library: Library, granularity: str) -> None:
    reader = tiny_reader(replace(CONFIG, memory_write_granularity=granularity))  # type: ignore[arg-type]
    state, _ = ingest(document(), reader, library).document.state()
    rows = [state.rows(number, number + 1) for number in range(state.batch)]
    assert not any(
        one.equals(other) for i, one in enumerate(rows) for other in [reader.zero_state(), *rows[:i]]
    )
