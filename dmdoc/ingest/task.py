"""What an ingest of a document is going to write: its chunks, and the header that its states will have.

Knows nothing about writing or saving.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate

import dmdoc
from dmdoc.document import Document
from dmdoc.errors import IdentityError, UsageError
from dmdoc.memory.state_header import Section, StateHeader, check_identity
from dmdoc.model.reader import Reader
from dmdoc.text.chunking import Chunk


@dataclass(frozen=True)
class Task:
    """A document and what its ingest will write."""

    document: Document
    chunks: tuple[Chunk, ...]
    header: StateHeader
    """Of the finished states."""
    warnings: tuple[str, ...]

    @property
    def tokens(self) -> int:
        return self.header.tokens_written


def plan(document: Document, reader: Reader, *, budget: int | None = None, refine_steps: int = 0) -> Task:
    """What there is to write of a document; arguments as for `ingest`.

    Raises:
        UsageError: as `check_settings`.
    """
    check_settings(reader, budget=budget, refine_steps=refine_steps)
    chunks = reader.chunks(document.text, budget)
    header = _header(
        document, reader, chunks, reader.write_budget if budget is None else budget, refine_steps
    )
    return Task(document, tuple(chunks), header, _warnings(document, reader, header))


def check_settings(reader: Reader, *, budget: int | None, refine_steps: int) -> None:
    """
    Raises:
        UsageError: the budget is larger than what the adapter or the backbone takes, or leaves room for nothing, or
            `refine_steps` is negative.
    """
    if refine_steps < 0:
        raise UsageError(f"refinement takes 0 or more steps, got {refine_steps}")
    reader.chunks("a", budget)  # any text: what is wrong with the budget alone is wrong with all of them


def fits(header: StateHeader, fresh: StateHeader) -> bool:
    """Whether states were written as this run would write them."""
    try:
        check_identity(header, backbone=fresh.backbone, adapter=fresh.adapter, tokenizer=fresh.tokenizer)
    except IdentityError:
        return False
    same = ("write_budget", "write_layout", "write_granularity", "refine_steps", "document_sha256")
    if any(getattr(header, name) != getattr(fresh, name) for name in same):
        return False
    return header.sections_total == fresh.sections_total and (
        header.sections == fresh.sections[: len(header.sections)]
    )


def _header(
    document: Document, reader: Reader, chunks: Sequence[Chunk], budget: int, refine_steps: int
) -> StateHeader:
    """The header of the finished states."""
    config = reader.adapter.config
    return StateHeader(
        backbone=reader.backbone.identity,
        adapter=reader.adapter_identity,
        tokenizer=reader.backbone.tokenizer_identity,
        sections=_sections(document, chunks),
        sections_total=len(chunks),
        write_budget=budget,
        write_layout=config.write_layout,
        write_granularity=config.memory_write_granularity,
        refine_steps=refine_steps,
        document_sha256=document.sha256,
        dmdoc_version=dmdoc.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _warnings(document: Document, reader: Reader, header: StateHeader) -> tuple[str, ...]:
    warnings = [f"{document.name}: {warning}" for warning in document.warnings]
    tokens = max((section.tokens for section in header.sections), default=0)
    evidenced = reader.adapter.config.evidenced_tokens
    if tokens > evidenced:
        warnings.append(
            f"{document.name}: recall with {reader.adapter_identity.name} was measured on writes of up to "
            f"{evidenced:,} tokens, and one of this has {tokens:,}; less of it will be recalled"
        )
    return tuple(warnings)


def _sections(document: Document, chunks: Sequence[Chunk]) -> tuple[Section, ...]:
    """What the chunks of a document will be as sections."""
    numbers = [number for number, page in enumerate(document.pages, start=1) if page]
    # Where each of these pages begins in the text: `Document.text` puts two characters between pages.
    starts = list(accumulate((len(document.pages[number - 1]) + 2 for number in numbers[:-1]), initial=0))

    def page_at(position: int) -> int:
        return numbers[bisect_right(starts, position) - 1]

    return tuple(
        Section(len(chunk.token_ids), page_at(chunk.start), page_at(chunk.start + len(chunk.text) - 1))
        for chunk in chunks
    )
