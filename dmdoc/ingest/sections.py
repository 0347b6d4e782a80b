"""Chunks of a text → the δ-mem states of its sections: each begins at zero, several are written at once.

A chunk with its state is a section. Because no state is carried from one to the next, none fades behind another,
and they are written and refined in batches of bounded size. Knows nothing about documents or files.
"""

from collections.abc import Callable, Iterator, Sequence

import torch

from dmdoc.ingest.room import Room, room_for
from dmdoc.memory.copying import on_device
from dmdoc.memory.rounding import rounded
from dmdoc.memory.state import MemoryState
from dmdoc.model.batching import halving
from dmdoc.model.reader import Reader
from dmdoc.refine.practice import section_practice
from dmdoc.refine.steps import PASS_SECTIONS, Halfway, refine
from dmdoc.text.chunking import Chunk


def batches(chunks: Sequence[Chunk], room: Room) -> Iterator[Sequence[Chunk]]:
    """Neighbouring chunks, as many at a time as are written at once."""
    start = 0
    while start < len(chunks):
        longest = len(chunks[start].token_ids)
        end = start + 1
        while end < len(chunks):
            longest = max(longest, len(chunks[end].token_ids))
            if (end + 1 - start) * longest > room.batch_tokens:
                break
            end += 1
        yield chunks[start:end]
        start = end


def write_sections(
    batch: Sequence[Chunk],
    reader: Reader,
    refine_steps: int = 0,
    *,
    pass_sections: int = PASS_SECTIONS,
    on_step: Callable[[int, float], None] | None = None,
    begun: Halfway | None = None,
    keep: Callable[[Halfway], None] | None = None,
) -> MemoryState:
    """The states of a batch, a section a row, refined in so many steps; the other arguments as for `refine`.

    They are rounded as their file will have them, so that what is asked at once answers as what is saved.

    Raises:
        DmdocError: refinement met a loss that is not finite.
    """

    def together(rows: Sequence[int]) -> list[MemoryState]:
        own = [batch[row] for row in rows]
        with torch.no_grad():
            state = reader.write(own, reader.zero_state(len(own)))
        practices = [section_practice(chunk, reader) for chunk in own] if refine_steps else []
        # What is kept is of the whole batch; halves of it, where memory is short, are not kept.
        whole = len(own) == len(batch)
        refined = refine(
            state,
            practices,
            reader,
            refine_steps,
            pass_sections=pass_sections,
            on_step=on_step,
            begun=begun if whole else None,
            keep=keep if whole else None,
        )
        return [refined.rows(row, row + 1) for row in range(len(own))]

    return rounded(MemoryState.cat(halving(together, range(len(batch)))))


def write_unlike(chunks: Sequence[Chunk], reader: Reader, room: Room) -> MemoryState:
    """The states of chunks of any lengths, a section a row in their order; those of like length are written at once."""
    order = sorted(range(len(chunks)), key=lambda number: len(chunks[number].token_ids))
    written = [write_sections(batch, reader) for batch in batches([chunks[number] for number in order], room)]
    rows = {number: row for row, number in enumerate(order)}
    state = MemoryState.cat(written)
    return state.select(on_device([rows[number] for number in range(len(chunks))], state.device))


def write_text(text: str, reader: Reader, refine_steps: int = 0) -> MemoryState:
    """The states of a whole text, a section a row, as `ingest` would write and refine them."""
    return write_all(reader.chunks(text), reader, refine_steps, room_for(reader, refine_steps))


def write_all(chunks: Sequence[Chunk], reader: Reader, refine_steps: int, room: Room) -> MemoryState:
    """The states of neighbouring chunks, a section a row, batch by batch."""
    return MemoryState.cat(
        [
            write_sections(batch, reader, refine_steps, pass_sections=room.pass_sections)
            for batch in batches(chunks, room)
        ]
    )
