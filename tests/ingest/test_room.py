"""How much is done at once: on a card as much as is worth it, or as fits; with a line where it is less."""

import pytest
from tiny import tiny_reader
from tiny_practice import CONFIG

from dmdoc.ingest import room as module
from dmdoc.ingest.room import CARD_BATCH_TOKENS, CARD_PASS_SECTIONS, Room, room_for
from dmdoc.model.footprint import refine_bytes, write_bytes
from dmdoc.model.reader import Reader
from dmdoc.refine.practice import STEP_COLUMNS, STEP_SUPERVISED


@pytest.fixture(scope="module")
def reader() -> Reader:
    return tiny_reader(CONFIG)


def with_free(free: int | None, reader: Reader, monkeypatch: pytest.MonkeyPatch, steps: int = 0) -> Room:
    monkeypatch.setattr(module, "free_bytes", lambda device: free)
    return room_for(reader, steps)


def test_a_processor_is_not_asked_what_it_has(reader: Reader) -> None:
    room = room_for(reader)
    assert (room.batch_tokens, room.free, room.lowered) == (module.BATCH_TOKENS, None, False)
    assert room.needed == write_bytes(reader, module.BATCH_TOKENS)
    assert "free" not in room.line


def test_a_card_with_room_is_filled(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    room = with_free(1 << 40, reader, monkeypatch, steps=3)
    assert (room.batch_tokens, room.pass_sections) == (CARD_BATCH_TOKENS, CARD_PASS_SECTIONS)
    assert not room.lowered
    assert room.line.endswith("are free")


def test_a_batch_that_does_not_fit_is_lowered_and_said(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = write_bytes(reader, CARD_BATCH_TOKENS // 3)
    room = with_free(free, reader, monkeypatch)
    assert room.batch_tokens == CARD_BATCH_TOKENS // 4
    assert room.needed <= free
    assert room.lowered
    assert "batches are smaller than they could be" in room.line


def test_a_pass_of_refinement_that_does_not_fit_has_fewer_sections(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = refine_bytes(reader, 3, STEP_COLUMNS, STEP_SUPERVISED)
    room = with_free(free, reader, monkeypatch, steps=3)
    assert (room.pass_sections, room.lowered) == (2, True)
    assert with_free(free, reader, monkeypatch).pass_sections == CARD_PASS_SECTIONS  # nothing is refined


def test_a_section_that_does_not_fit_alone_is_said(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    room = with_free(10, reader, monkeypatch)
    assert room.batch_tokens == CONFIG.write_budget
    assert "it may not fit; take a smaller write budget" in room.line


def test_a_smaller_budget_makes_smaller_batches(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "free_bytes", lambda device: 10)
    assert room_for(reader, budget=32).batch_tokens == 32
