"""Questions that a document does not answer, put together from those of other documents.

    own          its own questions
    near miss    about the same thing, an attribute that it does not give: a question that is known to have no answer
                 there, one of another section of the same work, or another document's about a thing of the same kind,
                 with that replaced by one of its own
    other name   an attribute that it gives, of a thing that it does not speak of
    other        any other document's question

Knows nothing about models or states.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from dmdoc.datasets import Question, QuestionedDocument

Kind = Literal["own", "near miss", "other name", "other"]
FOREIGN: tuple[Kind, ...] = get_args(Kind)[1:]


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
    found = []
    for document in documents:
        own = [Posed(asked.question, asked.answers, "own") for asked in document.questions]
        most = max(1, -(-len(own) // 2))
        pools: dict[Kind, list[str]] = {kind: [] for kind in FOREIGN}
        pools["near miss"] += document.unanswered
        for other in documents:
            if other.text != document.text:
                for kind, question in _foreign(document, other):
                    pools[kind].append(question)
        for kind, pool in pools.items():
            different = list(dict.fromkeys(pool))
            own += [Posed(each, (), kind) for each in draw.sample(different, min(most, len(different)))]
        found.append(own)
    return found


def _foreign(document: QuestionedDocument, other: QuestionedDocument) -> Iterator[tuple[Kind, str]]:
    """What can be asked of a document of another's questions, none of which it answers."""
    given, text = {asked.attribute for asked in document.questions}, document.text.lower()
    things = {_kind(asked): asked.about for asked in document.questions if asked.about}
    for asked in other.questions:
        if _work(other) == _work(document):
            yield "near miss", asked.question
        elif not asked.attribute:
            yield "other", asked.question
        elif asked.attribute in given:
            if asked.about and asked.about.lower() not in text:
                yield "other name", asked.question
        elif document.unanswered and _kind(asked) in map(_kind, document.questions):
            continue  # what else it does not answer about its own things is known
        elif asked.about and _kind(asked) in things and asked.about in asked.question:
            yield "near miss", asked.question.replace(asked.about, things[_kind(asked)])
        elif not asked.about and _kind(asked) in map(_kind, document.questions):
            yield "near miss", asked.question
        else:
            yield "other", asked.question


def _work(document: QuestionedDocument) -> str:
    """What a document that is a section of a work (`--unit section`) is a section of; else itself."""
    return document.name.rpartition(" \N{SECTION SIGN} ")[0] or document.name


def _kind(asked: Question) -> str:
    """Of the thing that is asked about."""
    return asked.attribute.partition(".")[0]
