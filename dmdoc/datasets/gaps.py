"""A document without some of its sentences, so that it leaves open what they answered."""

import random
from dataclasses import replace

from dmdoc.datasets.document import GAP, Question, QuestionedDocument
from dmdoc.text.candidates import split_statements
from dmdoc.text.words import contains

GAPS = 0.4
"""The share of questions whose sentences are taken out."""


def with_gaps(document: QuestionedDocument, draw: random.Random) -> QuestionedDocument:
    """A document without the sentences that answer some of its questions, which it leaves open now.

    That makes near misses of real text: the thing is spoken of, and what is asked of it is not said. Questions whose
    answers stand elsewhere, too, are left out with their sentences.
    """
    chosen = draw.sample(document.questions, round(GAPS * len(document.questions)))
    sections, gone = [], []
    for section in document.sections:
        kept = section
        for start, end in reversed(split_statements(section)):
            if any(_answers(asked, section[start:end]) for asked in chosen):
                gone.append(section[start:end])
                kept = kept[:start] + kept[end:].lstrip(" ")
        sections.append(kept)
    text, out = GAP.join(sections), GAP.join(gone)
    own = (asked for asked in document.questions if _answers(asked, text) and not _answers(asked, out))
    open_ones = (asked.question for asked in document.questions if not _answers(asked, text))
    return replace(
        document,
        sections=tuple(sections),
        questions=tuple(replace(asked, offset=None) for asked in own),
        unanswered=(*document.unanswered, *open_ones),
    )


def _answers(asked: Question, text: str) -> bool:
    return any(contains(text, answer) for answer in asked.answers)
