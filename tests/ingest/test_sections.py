import pytest
import torch
from tiny import tiny_reader

from dmdoc.ingest import room
from dmdoc.ingest.room import room_for
from dmdoc.ingest.sections import batches, write_sections, write_text
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.memory.rounding import rounded
from dmdoc.model.reader import Reader
from dmdoc.text.chunking import Chunk

CONFIG = DeltaMemConfig(write_layout="plain", write_budget=96)
LONG = " ".join(f"Fact number {number} is that lot {number * 7} holds salt." for number in range(8))


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader(CONFIG)


def chunk(tokens: int) -> Chunk:
    return Chunk((7,) * tokens, (0,) * tokens, "")


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], []),
        ([9], [1]),
        ([4, 4, 4], [2, 1]),
        ([2, 2, 2, 2, 2], [4, 1]),
        ([1, 8, 1], [1, 1, 1]),  # with a longer one beside it a short one takes as much
        ([9, 9, 1, 1], [1, 1, 2]),  # too long for any batch: alone
    ],
)
def test_a_batch_is_bounded_in_tokens_with_padding(
    lengths: list[int], expected: list[int], reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "BATCH_TOKENS", 8)
    chunks = [chunk(length) for length in lengths]
    made = list(batches(chunks, room_for(reader)))
    assert [each for batch in made for each in batch] == chunks
    assert [len(batch) for batch in made] == expected


def test_sections_written_at_once_are_those_written_alone(reader: Reader) -> None:
    chunks = reader.chunks(LONG)
    assert len({len(each.token_ids) for each in chunks}) > 1, "some are padded"
    together = write_sections(chunks, reader)
    for row, each in enumerate(chunks):
        with torch.no_grad():
            alone = reader.write([each], reader.zero_state())
        for one, other in zip(together.rows(row, row + 1).layers, rounded(alone).layers, strict=True):
            # A number at the edge between two steps of a byte may fall to either.
            assert float((one - other).abs().max()) < 1e-5 + float(other.abs().max()) / 127
            assert float(((one - other).abs() < 1e-5).float().mean()) > 0.98


def test_a_text_is_written_whole_however_it_falls_into_batches(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write_text(LONG, reader)
    assert whole.batch == len(reader.chunks(LONG)) > 3
    assert not any(layer.requires_grad for layer in whole.layers)
    monkeypatch.setattr(room, "BATCH_TOKENS", 1)
    for one, other in zip(whole.layers, write_text(LONG, reader).layers, strict=True):
        assert float((one - other).abs().max()) < 1e-5
