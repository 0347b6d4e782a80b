"""What is measured of a dataset: whole documents or their sections, and how many questions; drawn by a seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dmdoc.datasets.document import QuestionedDocument
from dmdoc.errors import UsageError

Unit = Literal["document", "section"]

AT_ONCE = 5
"""Questions that a document is asked before the next one's turn: a document costs a write, a question does not."""


@dataclass(frozen=True)
class Selection:
    """What was chosen."""

    documents: tuple[QuestionedDocument, ...]
    unplaced: int
    """Questions left out because the dataset does not say which section answers them."""


def select(documents: Sequence[QuestionedDocument], *, unit: Unit, limit: int | None, seed: int) -> Selection:
    """Documents, or their sections as documents of their own, in an order drawn by the seed.

    With a limit, questions are dealt to it in rounds of `AT_ONCE` a document, so that few questions still are
    about many documents.

    Raises:
        UsageError: by sections nothing is left, because no question says which section answers it.
    """
    everything = sum(len(document.questions) for document in documents)
    if unit == "section":
        documents = [section for document in documents for section in _sections(document)]
        if not documents:
            raise UsageError("no question says which section answers it; ask about whole documents")
    placed = sum(len(document.questions) for document in documents)
    draw = random.Random(seed)
    shuffled = [
        replace(document, questions=tuple(draw.sample(document.questions, len(document.questions))))
        for document in draw.sample(documents, len(documents))
    ]
    if limit is not None:
        counts = deal([len(document.questions) for document in shuffled], limit, at_once=AT_ONCE)
        shuffled = [
            replace(document, questions=document.questions[:count])
            for document, count in zip(shuffled, counts, strict=True)
            if count
        ]
    return Selection(tuple(shuffled), everything - placed)


def _sections(document: QuestionedDocument) -> Iterator[QuestionedDocument]:
    for number, text in enumerate(document.sections):
        asked = [question for question in document.questions if question.section == number]
        if asked:
            own = tuple(replace(question, section=0) for question in asked)
            yield QuestionedDocument(f"{document.name} § {number + 1}", (text,), own)


def deal(sizes: Sequence[int], limit: int, *, at_once: int) -> list[int]:
    """Shares of the limit: in rounds `at_once` to each in turn, who takes no more than its size."""
    counts = [0] * len(sizes)
    left = min(limit, sum(sizes))
    while left > 0:
        for index, size in enumerate(sizes):
            taken = min(at_once, size - counts[index], left)
            counts[index] += taken
            left -= taken
    return counts
