"""The words of a text, and those of a question that tell what it is about. Knows nothing about documents."""

import re

# The Chinese and Japanese write no blanks between words, so each of their characters counts as one.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")

_FUNCTION_WORDS = """
a about after all also am an and any are as at be been before being but by can could did do does doing done each for
from had has have having he her hers him his how i if in into is it its itself many me more most much my no nor not of
on one or other our out over own s shall she should so some such t than that the their them then there these they this
those through to too under until up us very was we were what when where whether which while who whom whose why will
with would you your
"""

FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English words that stand in every text, and those that a question begins with."""


def split_words(text: str) -> list[str]:
    """Its words in order, in lower case."""
    return _WORD.findall(text.lower())


def telling_words(text: str) -> list[str]:
    """Its words without FUNCTION_WORDS, each once, in order."""
    return list(dict.fromkeys(word for word in split_words(text) if word not in FUNCTION_WORDS))
