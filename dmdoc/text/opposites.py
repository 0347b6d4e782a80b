"""Words that are told apart by their opposites: what a text says of the beginning it does not say of the end.

Knows nothing about documents or models.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from dmdoc.text.words import alike, split_words


class _Side(NamedTuple):
    asked: tuple[str, ...]
    said: tuple[str, ...]
    """The same, and words that say so in a text but do not ask for it."""


def _side(words: str) -> _Side:
    asked, _, more = words.partition("|")
    return _Side(tuple(asked.split()), (*asked.split(), *more.split()))


_OPPOSITES = """
begin begins begun began beginning start commence commencement | from since = end ends ended ending finish expire expiry
    until till | to
open opening = close closing closed | shut
buy buys bought buyer purchaser purchase = sell sells sold seller vendor
landlord lessor = tenant lessee
employer = employee
sender sent = recipient addressee received
departure depart departs leave leaves left = arrival arrive arrives arrived
birth born = death died
winner won = loser lost
lend lent lender = borrow borrowed borrower
creditor credit = debtor debit
income = expenses expenditure
import imported = export exported
father = mother
brother = sister
husband = wife
daughter = son
north = south
upper = lower
adult adults = child children
single = return
"""
_EXACTING = """
maximum highest largest longest biggest | most up max exceed exceeds = minimum lowest smallest shortest | least min
first earliest = last latest final
previous former last = next following coming
deep deeper depth = wide wider width breadth
"""
"""What is asked with one of these is not answered where neither is said: the *previous* rent is not the rent."""


def _pairs(text: str) -> tuple[tuple[_Side, _Side], ...]:
    lines = text.strip().replace("\n   ", "").splitlines()
    found = (line.partition("=") for line in lines)
    return tuple((_side(one), _side(other)) for one, _, other in found)


_PAIRS, _EXACTING_PAIRS = _pairs(_OPPOSITES), _pairs(_EXACTING)
_VERB_LAST = re.compile(r"\b(?:do|does|did|will|would|can) [^?]*\blast\W*$", re.IGNORECASE)
"""How long something lasts."""


_CHANGED = (
    r"\b(?:ris(?:es?|ing|en)|rose|raised?|increase[sd]?|falls?|fell|drops|dropped|cuts?|reduced?|lower(?:ed|s)|changed?s?|"
    r"(?:goes|go|went|gone) (?:up|down)|moved|grows?|grew|switche[sd]|shifted|postponed)\b"
)
_FROM = re.compile(rf"{_CHANGED}[^.;\n]*\bfrom (?:the )?$", re.IGNORECASE)
_FROM_TO = re.compile(rf"{_CHANGED}[^.;\n]*\bfrom [^.;\n]+ to (?:the )?$", re.IGNORECASE)
_TO = re.compile(r"[^.;\n]{0,40}? to\b")
_NOW = re.compile(r"\b(?:will|now|new|today|currently?|from now on)\b", re.IGNORECASE)
_ONCE = re.compile(
    r"\b(?:before|until|old|previous(?:ly)?|former(?:ly)?|used to|original(?:ly)?)\b", re.IGNORECASE
)


def outdated(question: str, before: str, after: str) -> bool:
    """Whether a phrase is the wrong one of two values: "rises from £48 to £55" has £48 for what was, £55 for what is.

    Args:
        before: what stands before the phrase in its sentence.
        after: and behind it.
    """
    if _ONCE.search(question):
        return _FROM_TO.search(before) is not None
    return (
        _NOW.search(question) is not None
        and _FROM.search(before) is not None
        and _TO.match(after) is not None
    )


def contradicts(question: str, said: str) -> bool:
    """Whether what is said is of the opposite of what a question asks: of the beginning where it asks for the end.

    Of the first, the previous or the highest of something it is so, too, where neither is said.
    """
    there = split_words(said)
    return any(
        not _has(there, own.said, opposite.said) and (exacting or _has(there, opposite.said, own.said))
        for own, opposite, exacting in _asked(question)
    )


def mentions(question: str, text: str) -> bool:
    """Whether a text has a word for each side that a question asks for, as far as that has an opposite."""
    there = split_words(text)
    return all(_has(there, own.said, opposite.said) for own, opposite, _ in _asked(question))


@lru_cache(maxsize=64)  # every candidate of a question is held against it
def _asked(question: str) -> tuple[tuple[_Side, _Side, bool], ...]:
    """The sides that a question asks for, each with its opposite, and whether it is an exacting one."""
    words = split_words(_VERB_LAST.sub(" ", question))
    return tuple(
        (one, other, exacting)
        for pairs, exacting in ((_PAIRS, False), (_EXACTING_PAIRS, True))
        for pair in pairs
        for one, other in (pair, pair[::-1])
        if _asks(words, one, other, exacting) and not _asks(words, other, one, exacting)
    )


def _asks(words: Sequence[str], own: _Side, other: _Side, exacting: bool) -> bool:
    """Whether a question asks for a side: for an exacting one in so many words, "large" is not "largest"."""
    return bool(set(words) & set(own.asked)) if exacting else _has(words, own.asked, other.asked)


def _has(words: Sequence[str], own: Sequence[str], opposite: Sequence[str]) -> bool:
    """Whether one of some words is among others, or a form of one and no opposite: "employee" is like "employer"."""
    forms = [each for each in own if len(each) > 4]
    return any(
        word in own or (word not in opposite and any(alike(word, each) for each in forms)) for word in words
    )
