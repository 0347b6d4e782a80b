"""Answers that are whole sentences of the text, for questions that no phrase answers.

A question that yes or no would answer, or that asks why, gets the sentence that speaks of it: a state does not tell yes
from no. One that asks for a list gets the few that do, and one that asks what the text is about the sentences that
it begins with. No model has a part in it.
"""

from collections.abc import Iterator, Sequence

from dmdoc.answer.statements import Statement, rank
from dmdoc.text.asked import Form
from dmdoc.text.words import split_words

LISTED = 5
"""The most sentences of a list."""

BEGINNING = 2
"""Sentences that say what a text is about."""

SENTENCE_WORDS = 6
"""What has fewer is a title or a line of a table, and says little of what the text is about."""


def quote(form: Form, question: str, written: Sequence[Statement]) -> tuple[Statement, ...]:
    """The sentences that answer a question of a form; none where no sentence shares a word with it.

    Args:
        written: the statements of the document, in order.
    """
    if form == "summary":
        return tuple(_beginning(written))
    found = rank(written, question, LISTED if form == "list" else 1)
    return tuple(sorted(found, key=lambda each: (each.page, each.start)))


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
