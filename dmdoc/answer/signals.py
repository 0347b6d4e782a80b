"""What there is to judge an answer by: numbers that tell whether the document speaks of what was asked, and whether the
answer is the right one.

The model sees nothing of the text for that: words are compared (text/words.py).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from math import exp, log

from dmdoc.answer.recall import Recalled
from dmdoc.answer.routing import matches
from dmdoc.answer.spans import Choice, Span
from dmdoc.answer.weighing import NO_ANSWER, said_with
from dmdoc.memory.state import MemoryState
from dmdoc.model.reader import Reader
from dmdoc.text.asked import (
    cannot_answer,
    fits_kind,
    form_asked,
    kind_asked,
    naming_words,
    speaks_of,
    things_asked,
    without_request,
)
from dmdoc.text.words import akin, names, split_words, telling_words

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
    said: float = 0.0
    """The share of the question's telling words, but names, that its statement says, or the title; likewise. Those that
    stand nowhere in the text count here, and not in `covers`."""
    beside: float = 0.0
    """1 where it cannot be what is asked for: of another kind, or of something that is not asked about; likewise."""
    lead: float = -FARTHEST_LEAD
    """How far it leads all other phrases: the log-odds of its share of all weights, from -FARTHEST_LEAD up to that; 0,
    which speaks neither for nor against it, where there was no other."""
    outweighs: float = 0.0
    """How much all phrases weigh together, in nats, beyond what no answer does (weighing.py), from -FARTHEST_LEAD up to
    that; 0 where there was none."""
    margin: float = 0.0
    """How much likelier it is than the likeliest other phrase, in nats a token; 0 where there was no other."""
    rank: float = 0.0
    """How well its statement matches the question (statements.py), as a share of the best; likewise, from 0 to 1."""
    noun: float = 0.0
    """1 where it has the noun that is asked for, else 0 (weighing.py); likewise."""
    echo: float = 0.0
    """The share of its words that the question has; likewise."""
    length: float = 0.0
    """How many words it has, a cell's counted by its items; likewise."""
    counts: float = 0.0
    """1 where the question asks how many, else 0: such are answered rightly more often, or less often; likewise."""
    places: float = 0.0
    """1 where it asks where; likewise."""


def signals(
    question: str,
    recalled: Recalled,
    state: MemoryState,
    pages: Sequence[str],
    reader: Reader,
    name: str = "",
) -> Signals:
    """The signals of an answer from a state; the model reads the question once more, and nothing else.

    Args:
        pages: the document's text.
        name: of the document, by which a question may call it.
    """
    return measure(question, recalled, matched(question, recalled, state, reader), pages, name)


def matched(question: str, recalled: Recalled, state: MemoryState, reader: Reader) -> float:
    """How well the section that answered matches the question (routing.py), from -1 to 1."""
    section = recalled.answer.section
    assert section is not None, "an answer without a state"
    (match,) = matches([question], [state.rows(section, section + 1)], reader)
    return float(match.max())


def measure(question: str, recalled: Recalled, match: float, pages: Sequence[str], name: str = "") -> Signals:
    """As `signals`, where the match is known; no model takes part."""
    support, choice = recalled.support, recalled.choice
    text, kind = " ".join((name, *pages)), kind_asked(question)
    there = frozenset(split_words(text))
    own: dict[str, float] = {}
    if choice is not None and choice.span is not None:
        own = _of_phrase(question, choice.span, choice, pages, name)
        likelihood, fits = choice.span.log_likelihood, choice.span.measures.kind
        agreement = SequenceMatcher(None, _said(recalled.answer.text), _said(choice.free)).ratio()
    else:
        assert support is not None, "an answer in the model's own words, or sentences, always has its support"
        likelihood, fits = support.log_likelihood, fits_kind(recalled.answer.text, kind)
        agreement = float(f" {_said(recalled.answer.text)} " in f" {_said(text)} ")
    about = naming_words(question) if form_asked(question) == "summary" else without_request(question)
    return Signals(
        words=_share(telling_words(about), there),
        names=_share(set(names(question)), there),
        match=match,
        likelihood=max(LEAST_LIKELIHOOD, likelihood),
        agreement=agreement,
        fits=0.5 if kind is None else fits,
        **own,
    )


def _of_phrase(
    question: str, span: Span, choice: Choice, pages: Sequence[str], name: str
) -> dict[str, float]:
    """What there is to say of a phrase alone."""
    measures, said = span.measures, said_with(span.candidate, span.statement)
    sought = set(telling_words(without_request(question))) - set(names(question))
    there = split_words(f"{said} {_title(pages, name)}")
    return {
        "label": measures.label,
        "covers": measures.covers,
        "said": _share(sought, there),
        "beside": float(is_beside(question, span, pages, name)),
        "lead": _lead(choice),
        "outweighs": _outweighs(choice),
        "margin": _margin(span, choice),
        "rank": measures.rank,
        "noun": measures.noun,
        "echo": measures.echo,
        "length": measures.words,
        "counts": float(kind_asked(question) == "count"),
        "places": float(kind_asked(question) == "place"),
    }


def is_beside(question: str, span: Span, pages: Sequence[str], name: str = "") -> bool:
    """Whether a phrase cannot be what is asked for: words for a number, or of something that is not asked about.

    What the title or the name of the document speaks of, all of it may be about.
    """
    statement = span.statement
    said = " ".join((_title(pages, name), statement.text, statement.around, *statement.heads))
    return cannot_answer(span.text, question) or not speaks_of(said, things_asked(question))


def _title(pages: Sequence[str], name: str) -> str:
    """What a document is called: its name, and its first line."""
    return f"{name} {next((line for page in pages for line in page.splitlines() if line.strip()), '')}"


def _lead(choice: Choice) -> float:
    """The log-odds that the chosen phrase is the right one, if one of those that were read is and weights say which."""
    best, *others = sorted((each.score for each in choice.read), reverse=True)
    if not others:
        return 0.0
    rest = sum(exp(score - best) for score in others)
    return FARTHEST_LEAD if rest == 0 else max(-FARTHEST_LEAD, min(FARTHEST_LEAD, -log(rest)))


def _outweighs(choice: Choice) -> float:
    best = max(each.score for each in choice.read)
    together = best + log(sum(exp(each.score - best) for each in choice.read))
    return max(-FARTHEST_LEAD, min(FARTHEST_LEAD, together - NO_ANSWER))


def _margin(span: Span, choice: Choice) -> float:
    others = [each.log_likelihood for each in choice.read if each.text != span.text]
    return span.log_likelihood - max(others) if others else 0.0


def _share(sought: Iterable[str], there: Collection[str]) -> float:
    """How many of some words are among others, or mean the same as one of them; 1 of none."""
    found = [any(akin(own, word) for own in there) for word in sought]
    return sum(found) / len(found) if found else 1.0


def _said(text: str) -> str:
    return " ".join(split_words(text))
