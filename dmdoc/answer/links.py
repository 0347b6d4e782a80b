"""Which statements speak of one thing: "The Vera carries grain." and "Olsen steers the Vera." tell who steers the ship
that carries grain. Two do if they share a name that few have. Knows nothing about questions.
"""

import re
from collections.abc import Iterator, Sequence

from dmdoc.answer.statements import Statement
from dmdoc.text.thesaurus import is_known
from dmdoc.text.words import FUNCTION_WORDS

MOST = 4
"""How many statements may have a name that links them; what more of them have, all of them are about."""

_TITLES_AND_DATES = """
mr mrs ms miss dr prof january february march april may june july august september october november december
monday tuesday wednesday thursday friday saturday sunday eur usd gbp chf
"""
_NO_NAMES = FUNCTION_WORDS.union(_TITLES_AND_DATES.split())
"""What may have a capital and names no thing that two statements could speak of."""

_PIECE = re.compile(r"[^\W\d_]+|[.:;!?|\n\t\"\u201c\u201e]|[ ]{3}")


class Links:
    """Statements that share a name."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._names = {(each.page, each.start): name_words(each.text) for each in statements}
        self._naming: dict[str, list[Statement]] = {}
        for each in statements:
            for name in self._names[each.page, each.start]:
                self._naming.setdefault(name, []).append(each)

    def of(self, statement: Statement) -> Iterator[tuple[str, Statement]]:
        """The others that share a name with one of these statements, each with that name, in lower case."""
        place = (statement.page, statement.start)
        for name in self._names[place]:
            if len(naming := self._naming[name]) <= MOST:
                yield from ((name, each) for each in naming if (each.page, each.start) != place)


def name_words(text: str) -> list[str]:
    """The words of its names, in lower case, each once: what has a capital, at the beginning of a sentence, a cell or
    a quotation only where it is no English word. A single letter is none.
    """
    found: dict[str, None] = {}
    begins = True
    for piece in _PIECE.findall(text):
        if not piece[0].isalpha():
            begins = True
            continue
        word = piece.lower()
        named = piece[0].isupper() and len(piece) > 1 and word not in _NO_NAMES
        if named and not (begins and is_known(word)):
            found[word] = None
        begins = False
    return list(found)
