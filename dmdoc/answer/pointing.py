"""What a pointer says of the phrases that could answer a question: how likely it is to point at each.

It sees the question, and for each token of the text the vector that was kept when the text was written; no text.
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
"""Tokens of a question; of a longer one the pointer sees the last."""

USUAL = -4.0
"""What a right phrase has; counted from there, 0 speaks neither for nor against one, as where nothing points."""


def point_at(
    found: Sequence[Found], question: str, chunks: Sequence[Chunk], state: MemoryState, reader: Reader
) -> list[Found]:
    """Phrases with how likely each is pointed at, the best first; as they were where nothing points.

    That is where the reader has no pointer, or the state no vectors that this one made.

    Args:
        chunks: of the document, as they were written.
        state: of the document, a section a row.
    """
    sections = sorted({each.statement.section for each in found})
    texts = [_text(section, chunks, state, reader) for section in sections]
    known = [text for text in texts if text is not None]
    if reader.pointer is None or not found or len(known) < len(texts):
        return list(found)
    inputs = reader.layer_inputs([reader.encode(question)[-LONGEST:]], reader.pointer.shape.inputs)
    asked = reader.pointer.vectors([each[0] for each in inputs])
    standing = [
        overlap(chunks[section].text, text.ends, question)
        for section, text in zip(sections, known, strict=True)
    ]
    said = reader.pointer.point(asked, [text.vectors for text in known], standing)
    of_section = dict(zip(sections, zip(known, said, strict=True), strict=True))
    pointed: list[Found] = []
    for each in found:
        text, own = of_section[each.statement.section]
        likely = _likely(each, chunks[each.statement.section], text.ends, own) - USUAL
        pointed.append(each._replace(measures=each.measures._replace(pointed=likely)))
    return sorted(pointed, key=lambda each: -weigh(each.measures))


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


def _likely(each: Found, chunk: Chunk, ends: Sequence[int], said: Pointed) -> float:
    """How likely it is that the answer begins where a phrase does, and ends where it does, in nats."""
    start = each.statement.offset + each.candidate.start - chunk.start
    end = each.statement.offset + each.candidate.end - chunk.start
    first, last = bisect_right(ends, start), bisect_left(ends, end)
    if start < 0 or last >= len(ends):  # of a statement that goes on in the next section
        return LEAST
    return max(LEAST, float(said.starts[1 + first] + said.ends[1 + last]))
