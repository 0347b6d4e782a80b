"""Answers that are whole sentences of the text, or a count or comparison of its lines, where no phrase answers.

A question that yes or no would answer gets the sentence that speaks of it: a state does not tell yes from no. One that
asks why gets the sentence that gives a reason. One that asks for a list gets its items or the few sentences that speak
of it, one that asks how many their number, one that asks which row of a table has the most or the least that row, and
one that asks what the text is about the sentences that it begins with.
No model has a part in it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from dmdoc.answer.extremes import extreme
from dmdoc.answer.statements import Statement, rank
from dmdoc.answer.tally import count_names, tally
from dmdoc.text.asked import Form
from dmdoc.text.words import split_words

LISTED = 5
"""The most sentences of a list; of items that stand as a list in the text all are given."""

REASONS = 6
"""Sentences among which one that gives a reason is looked for."""

BEGINNING = 2
"""Sentences that say what a text is about."""

SENTENCE_WORDS = 6
"""What has fewer is a title or a line of a table, and says little of what the text is about."""

Missing = Literal["", "reason", "number"]
"""What was asked for and is not in the answer."""

_REASON = re.compile(
    r"\b(?:because|since|due to|owing to|thanks to|so that|in order to|caused|causes|reasons?|therefore|on account "
    r"of|as a result|for fear|to (?:avoid|prevent|protect|save|reduce|allow))\b",
    re.IGNORECASE,
)


class Quoted(NamedTuple):
    """What answers a question in place of a phrase."""

    sentences: tuple[Statement, ...] = ()
    """None where no sentence shares a word with it."""
    number: int | None = None
    """How many there are, where that is asked."""
    rows: int = 0
    """How many rows of a table were compared, where one of them answers."""
    cell: tuple[int, int] | None = None
    """From where to where in that one the answer stands."""
    missing: Missing = ""
    more: int = 0
    """Further sentences that share words with the question."""

    @property
    def text(self) -> str:
        if self.number is not None:
            return str(self.number)
        if self.cell is not None:
            return self.sentences[0].text[slice(*self.cell)]
        return "\n".join(each.text for each in self.sentences)


NOTHING = Quoted()


def quote(form: Form, question: str, written: Sequence[Statement]) -> Quoted:
    """The sentences, or the count, that answer a question of a form.

    Args:
        written: the statements of the document, in order.
    """
    if form == "summary":
        return Quoted(tuple(_beginning(written)))
    if form == "phrase":
        one = extreme(question, written)
        return NOTHING if one is None else Quoted((one.row,), rows=one.rows, cell=one.cell)
    if form == "count":
        return _count(question, written)
    if form == "reason":
        return _reason(question, written)
    if form == "list" and (items := tally(question, written)):
        return Quoted(items)
    found = rank(written, question, len(written))
    most = LISTED if form == "list" else 1
    best = sorted(found[:most], key=lambda each: (each.page, each.start))
    return Quoted(tuple(best), more=max(0, len(found) - most) if form == "list" else 0)


def _count(question: str, written: Sequence[Statement]) -> Quoted:
    if items := tally(question, written):
        return Quoted(items, len(items))
    names, where = count_names(question, written)
    return Quoted(where, names) if names else Quoted()


def _reason(question: str, written: Sequence[Statement]) -> Quoted:
    """The best sentence that gives a reason, or the one behind the best that does; else the best one."""
    found = rank(written, question, REASONS)
    found = [each for each in found if len(split_words(each.text)) >= SENTENCE_WORDS] or found
    if not found:
        return Quoted()
    places = [(each.page, each.start) for each in written]
    at = places.index((found[0].page, found[0].start))
    reasons = [
        each for each in (found[0], *written[at + 1 : at + 2], *found[1:]) if _REASON.search(each.text)
    ]
    return Quoted((reasons[0],)) if reasons else Quoted((found[0],), missing="reason")


def _beginning(written: Sequence[Statement]) -> Iterator[Statement]:
    """The title, if the text begins with a line that could be one, and the first sentences."""
    left = BEGINNING
    for number, each in enumerate(written):
        sentence = len(split_words(each.text)) >= SENTENCE_WORDS
        if number == 0 or sentence:
            yield each
            left -= sentence
        if left == 0:
            return
