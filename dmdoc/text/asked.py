"""What kind of thing an English question asks for, and whether a phrase is of that kind, both by their words.

Of a question in another language, or one that asks why or how, every phrase is of the kind.
"""

import re
from typing import Literal

Kind = Literal["person", "time", "number", "place", "thing"]
Shape = Literal["date", "number", "name", "part name", "plain"]

_WHAT = r"(?:what|which) (?:(?:is|was|are|were) (?:the|its|his|her|their) )?(?:\w+ )?"
_ASKED: dict[Kind, str] = {
    "person": "who|whom|whose",
    "time": rf"when|{_WHAT}(?:year|date|day|month|time|century|decade|season)s?",
    "number": "how (?:many|much|long|old|far|tall|high|deep|often|large|big|fast|wide|heavy|few)|"
    rf"{_WHAT}(?:number|percentage|percent|price|cost|amount|fraction|age|length|height|size|weight|distance|rate|"
    "population)",
    "place": rf"where|{_WHAT}(?:city|country|town|state|place|region|village|island|county|continent|"
    "location|port|street)",
    "thing": "what|which",
}
_PATTERNS: dict[Kind, re.Pattern[str]] = {
    kind: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for kind, words in _ASKED.items()
}
_OTHER = re.compile(r"\b(?:why|how)\b", re.IGNORECASE)

_OF_KIND: dict[Kind, set[Shape]] = {
    "person": {"name"},
    "time": {"date"},
    "number": {"number", "date"},
    "place": {"name", "part name"},
    "thing": {"name", "part name", "plain"},
}
_DATE = re.compile(
    r"\b(?:1\d|20)\d\ds?\b|\d:\d\d|\b(?:January|February|March|April|May|June|July|August|September|October|November|"
    r"December|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)s?\b|\b(?:centur(?:y|ies)|decades?|morning|evening|night|noon|"
    r"midnight|spring|summer|autumn|winter)\b"
)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(?:twen|thir|for|fif|six|seven|eigh|"
    r"nine)ty(?:-\w+)?|hundred|thousand|million|billion|dozen|half|twice|once|first|second|third)\b",
    re.IGNORECASE,
)
_JOINING = {"of", "the", "and", "de", "von", "van", "for", "in"}


def kind_asked(question: str) -> Kind | None:
    """What a question asks for; None where its words do not tell."""
    for kind, pattern in _PATTERNS.items():
        if kind == "thing" and _OTHER.search(question):
            return None
        if pattern.search(question):
            return kind
    return None


def is_of_kind(phrase: str, kind: Kind | None) -> bool:
    """Whether a phrase looks like what is asked for."""
    return kind is None or _shape(phrase) in _OF_KIND[kind]


def _shape(phrase: str) -> Shape:
    if _DATE.search(phrase):
        return "date"
    if _NUMBER.search(phrase):
        return "number"
    words = [word for word in re.findall(r"[\w'\u2019.-]+", phrase) if word.lower() not in _JOINING]
    capitals = sum(word[0].isupper() for word in words)
    if not capitals:
        return "plain"
    return "name" if capitals == len(words) else "part name"
