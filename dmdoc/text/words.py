"""The words of a text, and those of a question that tell what it is about. Knows nothing about documents."""

import re
import string
from collections.abc import Sequence
from functools import lru_cache

from dmdoc.text.thesaurus import bases, family, synonyms

# The Chinese and Japanese write no blanks between words, so each of their characters counts as one.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")

_NAME = re.compile(r"(?<=\s)[^\W\d_][\w'\u2019-]*|(?<!\w)\d[\d.,:]*\w*")

_FUNCTION_WORDS = """
a about after all also am an and any are as at be been before being but by can could did do does doing done each for
from had has have having he her hers him his how i if in into is it its itself many me more most much my no nor not of
on one or other our out over own s shall she should so some such t than that the their them then there these they this
those through to too under until up us very was we were what when where whether which while who whom whose why will
with would you your
"""

FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English words that stand in every text, and those that a question begins with."""


SHORT = 5
"""Letters; longer words that begin with so many of the same are taken for forms of one, where the thesaurus does not
know both."""

SYNONYM = 0.5
"""What a synonym of a word counts beside a form of it."""


LONG = 6
"""Letters; a longer word is looked for by its beginning, too: "treasury" where "treasurer" is asked for."""


def split_words(text: str) -> list[str]:
    """Its words in order, in lower case."""
    return _WORD.findall(text.lower())


def split_pieces(text: str, marks: str) -> list[str]:
    """Its words in lower case, and some marks, in order."""
    return re.findall(rf"{_WORD.pattern}|[{re.escape(marks)}]", text.lower())


def telling_words(text: str) -> list[str]:
    """Its words without FUNCTION_WORDS, each once, in order."""
    return list(dict.fromkeys(word for word in split_words(text) if word not in FUNCTION_WORDS))


def normalise_answer(text: str) -> str:
    """Lower case without punctuation, articles and surplus blanks, after SQuAD's rules (arXiv 1606.05250)."""
    kept = "".join(" " if character in string.punctuation else character for character in text.lower())
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def contains(given: str, right: str) -> bool:
    """Whether the right answer stands in the given one, in whole words, after `normalise_answer`."""
    return f" {normalise_answer(right)} " in f" {normalise_answer(given)} "


def names(text: str) -> list[str]:
    """The words of its names and numbers, in lower case: what has a capital, but for the first word, or begins with a
    digit. "I" names nothing, nor does the "s" of "Anna's".
    """
    found = split_words(" ".join(each for each in _NAME.findall(text) if not each[0].islower()))
    return [word for word in found if word not in FUNCTION_WORDS]


@lru_cache(maxsize=1 << 16)
def likeness(one: str, other: str) -> float:
    """How much two words in lower case mean the same: 1 for forms of one word and what is derived from it ("owner" of
    "owned"), SYNONYM for synonyms, else 0.
    """
    if one == other:
        return 1.0
    if one[0].isdigit() or other[0].isdigit():
        return 0.0
    own = bases(one)
    if not own or not bases(other):
        return float(begin_alike(one, other))
    if not own.isdisjoint(family(other)):
        return 1.0
    return 0.0 if own.isdisjoint(synonyms(other)) else SYNONYM


def alike(one: str, other: str) -> bool:
    """Whether two words in lower case are forms of one, or of one family."""
    return likeness(one, other) == 1


def akin(one: str, other: str) -> bool:
    """Whether two words in lower case are alike, or synonyms."""
    return likeness(one, other) > 0


def begin_alike(one: str, other: str) -> bool:
    """Whether two words begin with SHORT of the same letters, or a shorter one is the other but for its ending."""
    short, long = sorted((one, other), key=len)
    if len(short) > SHORT:
        return short[:SHORT] == long[:SHORT]
    return long.startswith(short) and len(long) - len(short) <= min(2, len(short) - 1)


def words_query(words: Sequence[str]) -> str:
    """A query of SQLite's FTS5 for any of some words in lower case, their forms and what begins alike; may be ""."""
    return " OR ".join(map(_sought, words))


def _sought(word: str) -> str:
    return f'"{word}"' if bases(word) else f'"{word}" OR "{word[: max(LONG - 1, len(word) - 3)]}"*'
