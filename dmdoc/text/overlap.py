"""Which tokens of a text stand in words that a question has, too. Knows nothing about models."""

import re
from collections.abc import Sequence

from dmdoc.text.words import likeness, telling_words

NONE, SYNONYM, FORM = 0, 1, 2
"""How a word of the text stands to the question's: not at all, as a synonym, as a form of one."""

_WORD = re.compile(r"[^\W_]+")


def overlap(text: str, ends: Sequence[int], question: str) -> list[int]:
    """For each token of a text how the word that it is a part of stands to the telling words of a question.

    Args:
        ends: of each token the position after its last character, never decreasing.
    """
    asked = telling_words(question)
    words = [(word.start(), word.end(), _standing(word[0].lower(), asked)) for word in _WORD.finditer(text)]
    found, at = [], 0
    for end in ends:
        while at < len(words) and words[at][1] < end:
            at += 1
        found.append(words[at][2] if at < len(words) and words[at][0] < end else NONE)
    return found


def _standing(word: str, asked: Sequence[str]) -> int:
    return max((round(2 * likeness(word, each)) for each in asked), default=NONE)
