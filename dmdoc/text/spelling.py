"""How a word that a line end broke at a hyphen is spelled: `well-⏎known` keeps its hyphen, `ware-⏎house` loses it.

The document's own other spellings decide, then a list of English words (TextBlob's lexicon). Where neither knows the
word, the hyphen is taken for the typesetter's and goes: it is a guess.
"""

import re
from collections import Counter
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

COMPOUNDS = 3
"""In so many listed words a first part stands before a hyphen (`self-`), if a new word may be one more of them."""

_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")


class Lexicon(NamedTuple):
    """A list of words, in lower case."""

    words: frozenset[str]
    first_parts: Counter[str]
    """What stands before the hyphen in the hyphenated ones, and in how many."""


@cache
def english() -> Lexicon:
    """The words of TextBlob's lexicon (Brill's, of the Brown corpus and the Penn Treebank)."""
    package = find_spec(
        "textblob"
    )  # found and not imported, which would take far longer than reading the list
    assert package is not None and package.origin is not None
    lines = (
        Path(package.origin)
        .with_name("en")
        .joinpath("en-lexicon.txt")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    words = frozenset(line.partition(" ")[0].lower() for line in lines if not line.startswith(";;;"))
    return Lexicon(words, Counter(word.partition("-")[0] for word in words if "-" in word.strip("-")))


class Spellings:
    """The words of a text, looked through when they are first asked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words: frozenset[str] | None = None

    def keeps_hyphen(self, before: str, after: str) -> bool:
        """Whether the hyphen between two parts of a word is its own; both parts are letters and hyphens."""
        if self._words is None:
            self._words = frozenset(word.replace("\u2010", "-") for word in _WORD.findall(self._text.lower()))
        before, after = before.lower().replace("\u2010", "-"), after.lower().replace("\u2010", "-")
        hyphenated, solid = f"{before}-{after}", before + after
        if (hyphenated in self._words) != (solid in self._words):
            return hyphenated in self._words
        words, first_parts = english()
        if hyphenated in words:
            return True
        if solid in words or before.rpartition("-")[2] + after.partition("-")[0] in words:
            return False
        return after in words and first_parts[before] >= COMPOUNDS
