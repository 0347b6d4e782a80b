"""What an English question asks for, by its words: a phrase of some kind, or sentences.

Of a question in another language, or one that asks how, every phrase is of the kind.
"""

import re
from typing import Literal

Kind = Literal["person", "time", "number", "place", "thing"]
Shape = Literal["date", "number", "name", "part name", "plain"]

Form = Literal["phrase", "sentence", "list", "summary"]
"""What an answer is: a phrase; the sentence that tells (of yes or no, or why); several sentences; what all is about."""

_FORMS: dict[Form, str] = {
    "summary": r".*\b(?:summary|summari[sz]e|overview)\b|"
    r".*\bwhat (?:is|are) (?:this|these|it|the \w+)(?: \w+)? about\W*$",
    "list": r"\s*(?:list|name all|enumerate)\b|\s*(?:what|which|who) are all\b",
    "sentence": r".*\bwhy\b|"
    r"\s*(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should|may|must|might)\b(?!.* or )",
}

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


def form_asked(question: str) -> Form:
    """What would answer a question."""
    found = (form for form, words in _FORMS.items() if re.match(words, question, re.IGNORECASE | re.DOTALL))
    return next(found, "phrase")


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
