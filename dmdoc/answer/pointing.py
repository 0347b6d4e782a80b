"""What a pointer says of the phrases that could answer a question: how likely it is to point at each.

It sees the question, and of the text a vector for each token, kept when the text was written, and which tokens stand
in words that the question has, too.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from dmdoc.answer.phrases import Found
from dmdoc.answer.weighing import weigh
from dmdoc.memory.state import MemoryState
from dmdoc.model.pointer import Pointed
from dmdoc.model.reader import Reader
from dmdoc.text.chunking import Chunk
from dmdoc.text.overlap import overlap

LEAST = -20.0
"""Nats; what is less likely is told apart no further."""

LONGEST = 128
"""The most tokens of a question; of a longer one the pointer sees the last."""

USUAL = -4.0
"""What a right phrase usually has, in nats. It is taken off, so that 0 speaks neither for nor against a phrase."""


def point_at(
    found: Sequence[Found], question: str, chunks: Sequence[Chunk], state: MemoryState, reader: Reader
) -> list[Found]:
    """Phrases with how likely each is pointed at, the best first; as they were where nothing points.

    That is where the reader has no pointer, or the state no vectors that this one made.

    Args:
        chunks: of the document, as they were written.
        state: of the document, a section a row.
    """
    if reader.pointer is None:
        return list(found)
    asked_ids = reader.encode(question)[-LONGEST:]
    places = [_place(each, chunks) for each in found]
    sections = sorted({place.section for place in places})
    texts = [_text(section, chunks, state, reader) for section in sections]
    known = [text for text in texts if text is not None]
    if not asked_ids or not found or len(known) < len(texts):
        return list(found)
    inputs = reader.layer_inputs([asked_ids], reader.pointer.shape.inputs)
    asked = reader.pointer.vectors([each[0] for each in inputs])
    standing = [
        overlap(chunks[section].text, text.ends, question)
        for section, text in zip(sections, known, strict=True)
    ]
    said = reader.pointer.point(asked, [text.vectors for text in known], standing)
    of_section = dict(zip(sections, zip(known, said, strict=True), strict=True))
    pointed: list[Found] = []
    for each, place in zip(found, places, strict=True):
        text, own = of_section[place.section]
        likely = _likely(place, text.ends, own)
        pointed.append(each._replace(measures=each.measures._replace(pointed=likely)))
    return sorted(pointed, key=lambda each: -weigh(each.measures))


class _Place(NamedTuple):
    """Where a phrase stands: its section, and from and to, in characters of that chunk's text."""

    section: int
    start: int
    end: int


def _place(each: Found, chunks: Sequence[Chunk]) -> _Place:
    """A long list is one statement, and may go on in the next section."""
    start = each.statement.offset + each.candidate.start
    section = max(0, bisect_right([chunk.start for chunk in chunks], start) - 1)
    begin = chunks[section].start if chunks else 0
    return _Place(section, start - begin, start - begin + each.candidate.end - each.candidate.start)


class _Text(NamedTuple):
    vectors: Tensor
    """int8 `[tokens, kept]`"""
    ends: list[int]
    """Of each token the position after its last character, in the chunk's text."""


def _text(section: int, chunks: Sequence[Chunk], state: MemoryState, reader: Reader) -> _Text | None:
    """What is known of the tokens of a section; None where there is nothing that this reader's pointer made."""
    kept = state.vectors
    if kept is None or reader.pointer is None or kept.maker != reader.pointer.fingerprint:
        return None
    vectors = kept.rows[section] if section < len(chunks) else None
    if vectors is None or vectors.shape[1] != reader.pointer.shape.kept:
        return None
    _, ends = reader.backbone.tokenizer.encode_with_ends(chunks[section].text)
    return _Text(vectors, ends) if len(ends) == len(vectors) else None


def _likely(place: _Place, ends: Sequence[int], said: Pointed) -> float:
    """How likely it is that the answer begins where a phrase does, and ends where it does, in nats above USUAL."""
    first, last = bisect_right(ends, place.start), bisect_left(ends, place.end)
    if last >= len(ends):  # it is cut in two
        return 0.0
    return max(LEAST, float(said.starts[1 + first] + said.ends[1 + last])) - USUAL
