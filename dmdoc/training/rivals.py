"""What a right answer is told apart from: other phrases of the same text, as choosing among them has to.

Half are answers that the text gives to other questions, half stand in the sentence of the right one and may share
words with it, so that an answer's bounds are learned too. Knows nothing about tokens.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from dmdoc.text.candidates import find_candidates
from dmdoc.text.sentences import split_sentences
from dmdoc.text.words import normalise_answer

HARD = 0.7
"""The share of weighed rivals that are the best by their words; the others are drawn from the rest."""

Weighed = tuple[str, float]
"""A phrase, and what its words weigh."""


class Contest(NamedTuple):
    """Phrases that `ask` would have to choose among for a question."""

    phrases: tuple[Weighed, ...]
    answered: bool
    """The first of them is the answer; else the text leaves the question open, and none is."""


def draw_contest(
    phrases: Sequence[Weighed], answers: Sequence[str], count: int, generator: random.Random
) -> Contest | None:
    """The first of the phrases that says an answer, and at most `count` that do not; None where one of both lacks.

    Args:
        phrases: those that the text has for a question, the best by their words first.
        answers: any of them is right; of a question that the text leaves open there are none.
    """
    asked = {normalise_answer(answer) for answer in answers}
    right = [each for each in phrases if normalise_answer(each[0]) in asked]
    wrong = [each for each in phrases if normalise_answer(each[0]) not in asked]
    if (asked and not right) or not wrong or not count:
        return None
    hard = min(len(wrong), round(HARD * count))
    rest = wrong[hard:]
    others = generator.sample(rest, min(count - hard, len(rest)))
    return Contest((*right[:1], *wrong[:hard], *others), answered=bool(right))


def draw_rivals(
    text: str, question: str, answer: str, others: Sequence[str], count: int, generator: random.Random
) -> tuple[str, ...]:
    """At most `count` phrases, none of them the answer and none twice.

    Args:
        others: answers to other questions about the text.
    """
    away = _shuffled([other for other in others if not _same(other, answer)], generator)
    near = _shuffled(
        [
            found.text
            for found in find_candidates(_sentence(text, answer), question)
            if not _same(found.text, answer)
        ],
        generator,
    )
    half = count - min(count // 2, len(near))
    chosen = dict.fromkeys([*away[:half], *near])
    return tuple(chosen)[:count]


def _shuffled(phrases: Sequence[str], generator: random.Random) -> list[str]:
    unique = list(dict.fromkeys(phrases))
    return generator.sample(unique, len(unique))


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _sentence(text: str, answer: str) -> str:
    """The sentence in which the answer first stands; nothing where it does not."""
    at = text.find(answer)
    if at < 0:
        return ""
    return next((text[start:end] for start, end in split_sentences(text) if start <= at < end), "")
