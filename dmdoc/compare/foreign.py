"""Questions that a document does not answer, put together from those of other documents.

    own          its own questions
    near miss    about the same thing, an attribute that it does not give: a question of another section of the same
                 work, or another document's question with its subject replaced by this one's
    other name   an attribute that it gives, of a thing that it does not speak of: another document's question, where
                 the same with its subject replaced is one of its own
    other        any other document's question

Knows nothing about models or states.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from dmdoc.datasets import QuestionedDocument

Kind = Literal["own", "near miss", "other name", "other"]
FOREIGN: tuple[Kind, ...] = get_args(Kind)[1:]

SHARE = 0.7
"""A subject is named in at least this share of its document's questions."""

_NAME = re.compile(r"(?:the \w+ )?(?:[A-Z][\w'\u2019-]*(?: |(?=\W|$)))+")


@dataclass(frozen=True)
class Posed:
    """A question that is put to a document."""

    question: str
    answers: tuple[str, ...]
    """The right ones; none of a question that the document does not answer."""
    kind: Kind


def posed(documents: Sequence[QuestionedDocument], seed: int) -> list[list[Posed]]:
    """For each document its own questions, and of each kind of foreign ones half as many, where there are some."""
    draw = random.Random(seed)
    subjects = [_subject(document) for document in documents]
    found = []
    for number, document in enumerate(documents):
        own = [Posed(asked.question, asked.answers, "own") for asked in document.questions]
        most = -(-len(own) // 2)
        pools: dict[Kind, list[str]] = {kind: [] for kind in FOREIGN}
        for kind, question in _foreign(number, documents, subjects):
            pools[kind].append(question)
        for kind, pool in pools.items():
            own += [Posed(question, (), kind) for question in draw.sample(pool, min(most, len(pool)))]
        found.append(own)
    return found


def _foreign(
    number: int, documents: Sequence[QuestionedDocument], subjects: Sequence[str]
) -> Iterator[tuple[Kind, str]]:
    document, subject = documents[number], subjects[number]
    known = {asked.question for asked in document.questions}
    for at, other in enumerate(documents):
        if other.text == document.text:
            continue
        for asked in other.questions:
            if _work(other) == _work(document):
                yield "near miss", asked.question
            elif subject and subjects[at] and subjects[at] in asked.question:
                moved = asked.question.replace(subjects[at], subject)
                if moved in known:
                    yield "other name", asked.question
                elif subject.split()[:2] == subjects[at].split()[:2] or _last(subject) == _last(subjects[at]):
                    yield "near miss", moved
                else:
                    yield "other", asked.question
            else:
                yield "other", asked.question


def _work(document: QuestionedDocument) -> str:
    """What a document that is a section of a work (`--unit section`) is a section of; else itself."""
    return document.name.rpartition(" \N{SECTION SIGN} ")[0] or document.name


def _subject(document: QuestionedDocument) -> str:
    """What most of a document's questions name; "" where that is nothing."""
    questions = [asked.question for asked in document.questions]
    names = {name.strip() for question in questions for name in _NAME.findall(question[1:])}
    common = [name for name in names if sum(name in other for other in questions) >= SHARE * len(questions)]
    return max(sorted(common), key=len, default="")


def _last(subject: str) -> str:
    return subject.rpartition(" ")[2]
