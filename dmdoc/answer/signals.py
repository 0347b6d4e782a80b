"""What there is to judge an answer by: numbers that tell whether the document speaks of what was asked, and whether the
answer is the right one.

The model sees nothing of the text for that: words are compared. They are reduced to stems by the rules of English.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from math import exp, log
from typing import Any

from dmdoc.answer.recall import Recalled
from dmdoc.answer.routing import matches
from dmdoc.answer.spans import Choice
from dmdoc.memory.state import MemoryState
from dmdoc.model.reader import Reader
from dmdoc.text.asked import fits_kind, form_asked, kind_asked, naming_words
from dmdoc.text.words import names, split_words, telling_words

LEAST_LIKELIHOOD = -6.0
"""Nats a token; what is less likely is told apart no further."""

FARTHEST_LEAD = 7.0
"""Of a phrase; what leads by more is told apart no further."""


@dataclass(frozen=True)
class Signals:
    """Of an answer; the higher, the more speaks for it."""

    words: float
    """The share of the question's telling words that the document has, from 0 to 1."""
    names: float
    """The same of its names and numbers; 1 where it has none."""
    match: float
    """How well the state that answered matches the question (routing.py), from -1 to 1."""
    likelihood: float
    """Of the answer under that state, in nats a token."""
    agreement: float
    """From 0 to 1: how like the chosen phrase is to the model's own words, or whether these stand in the text."""
    fits: float
    """Whether the answer is of the kind that is asked for: a number, a name; 0, 1, or 0.5 where that is not known."""
    label: float = 0.0
    """How far a chosen phrase stands behind a label or a heading that the question names, from 0 to 1 (weighing.py)."""
    covers: float = 0.0
    """The share of the question's words that its statement, or its row, says; likewise."""
    opposed: float = 0.0
    """1 where its words speak of the opposite of what is asked, else 0; not the higher, the better; likewise."""
    lead: float = -FARTHEST_LEAD
    """How far it leads all other phrases: the log-odds of its share of all weights, from -FARTHEST_LEAD up to that; 0,
    which speaks neither for nor against it, where there was no other."""


def signals(
    question: str, recalled: Recalled, state: MemoryState, pages: Sequence[str], reader: Reader
) -> Signals:
    """The signals of an answer from a state; the model reads the question once more, and nothing else."""
    section, support, choice = recalled.answer.section, recalled.support, recalled.choice
    assert section is not None, "an answer without a state"
    (match,) = matches([question], [state.rows(section, section + 1)], reader)
    text = " ".join(pages)
    there = _stems(split_words(text))
    chosen: dict[str, float] = {}
    if choice is not None and choice.span is not None:
        measures = choice.span.measures
        chosen = {
            "label": measures.label,
            "covers": measures.covers,
            "opposed": measures.opposed,
            "lead": _lead(choice),
        }
        likelihood = choice.span.log_likelihood
        agreement = SequenceMatcher(None, _said(recalled.answer.text), _said(choice.free)).ratio()
    else:
        assert support is not None, "an answer in the model's own words, or sentences, always has its support"
        likelihood = support.log_likelihood
        agreement = float(f" {_said(recalled.answer.text)} " in f" {_said(text)} ")
    about = naming_words(question) if form_asked(question) == "summary" else question
    return Signals(
        words=_share(_stems(telling_words(about)), there),
        names=_share(_stems(names(question)), there),
        match=float(match.max()),
        likelihood=max(LEAST_LIKELIHOOD, likelihood),
        agreement=agreement,
        fits=_fits(question, recalled.answer.text),
        **chosen,
    )


def _lead(choice: Choice) -> float:
    """The log-odds that the chosen phrase is the right one, if one of those that were read is and weights say which."""
    best, *others = sorted((each.score for each in choice.read), reverse=True)
    if not others:
        return 0.0
    rest = sum(exp(score - best) for score in others)
    return FARTHEST_LEAD if rest == 0 else max(-FARTHEST_LEAD, min(FARTHEST_LEAD, -log(rest)))


def _share(sought: set[str], there: set[str]) -> float:
    return len(sought & there) / len(sought) if sought else 1.0


def _said(text: str) -> str:
    return " ".join(split_words(text))


def _fits(question: str, answer: str) -> float:
    kind = kind_asked(question)
    return 0.5 if kind is None else fits_kind(answer, kind)


def _stems(words: Sequence[str]) -> set[str]:
    return set(_stemmer().stemWords(list(words)))


@cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")
