"""What a statement speaks of beyond its own words: the headings above it, and the statement that its pronoun points at.

A heading is a short line of its own without a full stop; it holds until the next one. The only heading of a text says
nothing of one statement that it does not say of all. A pronoun points at the last statement before it that has none.
Knows nothing about questions.
"""

import re
from collections.abc import Sequence

from dmdoc.text.cells import ITEM

MOST_HEADING_WORDS = 9
MOST_TITLE_WORDS = 16
"""Of a heading in capitals."""

_PRONOUN = re.compile(
    r"\b(?:it|he|him|she|they|them|this|these)\b|^\W*(?:\w+\W+)?(?:its|his|her|their)\b", re.IGNORECASE
)
"""A possessive counts at the beginning alone: "Lund has its port" speaks of Lund."""

_NUMBERED = re.compile(r"\d{1,3}(?:\.\d{1,3})*[.)][ ]+(?=[^\W\d_])")
_VALUE = re.compile(r"\t|[ ]\|[ ]|[:;]\s|[ ]{2}|\.{3}")


def is_heading(text: str) -> bool:
    """Whether a statement is a line that names what comes below it, and says nothing of it."""
    if text.startswith("#"):
        return True
    plain = (
        "\n" not in text
        and not text[0].isdigit()
        and not ITEM.match(text.lstrip())
        and not _VALUE.search(text)
    )
    short = len(text.split()) <= (MOST_TITLE_WORDS if text.isupper() else MOST_HEADING_WORDS)
    return plain and text[-1] not in ".!?,;" and short


def are_headings(statements: Sequence[str]) -> list[bool]:
    """Of each statement of a text, whether it is a heading; a number may stand before one, if none follows."""
    found = []
    for at, text in enumerate(statements):
        numbered = _NUMBERED.match(text)
        alone = at + 1 < len(statements) and not ITEM.match(statements[at + 1])
        found.append(is_heading(text[numbered.end() :]) if numbered and alone else is_heading(text))
    return found


def around(statements: Sequence[str]) -> list[str]:
    """For each statement of a text, in order, the words beside its own that tell what it speaks of; may be ""."""
    found, heading, meant = [], "", ""
    named = are_headings(statements)
    several = sum(named) > 1
    for at, text in enumerate(statements):
        if named[at]:
            heading, meant = text if several else "", ""
            found.append("")
            continue
        pointing = _PRONOUN.search(text) is not None
        found.append(" ".join(filter(None, (heading, meant if pointing else ""))))
        if not pointing or not at:
            meant = text
    return found
