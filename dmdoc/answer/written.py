"""A document's text as it was written into its state: statements and chunks, each with its section."""

from collections.abc import Sequence
from typing import NamedTuple

from dmdoc.answer.statements import BETWEEN_PAGES, Statement, statements
from dmdoc.memory.state import MemoryState
from dmdoc.model.reader import Reader
from dmdoc.text.chunking import Chunk


class Written(NamedTuple):
    """What a document says, and where."""

    statements: Sequence[Statement]
    """Each with the row of the document's state that holds it."""
    chunks: Sequence[Chunk]
    """One for each row of the state."""


def as_written(
    pages: Sequence[str], state: MemoryState, reader: Reader, budget: int | None = None
) -> Written:
    """A document's text, cut as it was when it was written.

    Args:
        budget: the most tokens of a section, by which the document was written; the reader's own if None.
    """
    text = BETWEEN_PAGES.join(page for page in pages if page)
    chunks = reader.chunks(text, budget)[: state.batch]
    return Written(statements(pages, [chunk.start for chunk in chunks]), chunks)
