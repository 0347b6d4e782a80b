"""Which statements speak of one thing: "The Vera carries grain." and "Olsen steers the Vera." tell who steers the ship
that carries grain. Two do if they share a name that few have. Knows nothing about questions.
"""

import re
from collections.abc import Iterator, Sequence

from dmdoc.answer.statements import Statement
from dmdoc.text.thesaurus import is_known
from dmdoc.text.words import FUNCTION_WORDS

MOST = 4
"""How many statements may have a name that links them; what more have, the whole text is about."""

_CAPITAL = re.compile(r"(?<![\w'\u2019])[^\W\d_a-z][\w-]*")
_BEGINS = re.compile(r"(?:\A|[.:])\W*\Z")


class Links:
    """The statements of a text that share a name."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._naming: dict[str, list[Statement]] = {}
        for each in statements:
            for name in name_words(each.text):
                self._naming.setdefault(name, []).append(each)

    def of(self, statement: Statement) -> Iterator[tuple[str, Statement]]:
        """The others that share a name with it, each with that name, in lower case."""
        for name in name_words(statement.text):
            naming = self._naming.get(name, [])
            if len(naming) <= MOST:
                yield from ((name, each) for each in naming if each is not statement)


def name_words(text: str) -> list[str]:
    """The words of its names, in lower case, each once: what has a capital, in the first place only where it is no
    English word.
    """
    found = dict.fromkeys(
        word
        for each in _CAPITAL.finditer(text)
        if (word := each[0].lower()) not in FUNCTION_WORDS
        and not (is_known(word) and _BEGINS.search(text[: each.start()]))
    )
    return list(found)
