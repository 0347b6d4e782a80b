"""What an English question asks for, by its words: a phrase of some kind, or sentences.

Of a question in another language, or one that asks how, every phrase is of the kind.
"""

import re
from typing import Literal

Kind = Literal["person", "time", "money", "count", "often", "number", "place", "thing"]
Shape = Literal["date", "clock", "money", "measure", "often", "number", "name", "part name", "plain"]

Form = Literal["phrase", "sentence", "list", "summary"]
"""What an answer is: a phrase; the sentence that tells (of yes or no, or why); several sentences; what all is about."""

_FORMS: dict[Form, str] = {
    "summary": r".*\b(?:summary|summari[sz]e|overview)\b|"
    r".*\bwhat (?:is|are) (?:this|these|it|the \w+)(?: \w+)? about\W*$",
    "list": r"\s*(?:list|name all|enumerate)\b|\s*(?:what|which|who) are all\b",
    "sentence": r".*\bwhy\b|"
    r"\s*(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should|may|must|might)\b(?!.* or )",
}

_WHAT = r"(?:what|which) (?:(?:is|was|are|were) (?:the|its|his|her|their|my|our) )?(?:\w+ ){0,2}?"
_PRICE = "price|cost|fee|fare|rent|deposit|salary|budget|turnover|revenue|subscription"
_ASKED: dict[Kind, str] = {
    "person": "who|whom|whose",
    "time": rf"when|{_WHAT}(?:year|date|day|month|time|century|decade|season)s?",
    "often": "how (?:often|frequently)",
    "count": rf"how (?:many|few)|{_WHAT}number of",
    "money": rf"how much (?:is|are|was|were|do|does|did|must|should|will|would)\b(?!.* (?:weigh|measure|hold))|"
    rf"{_WHAT}(?:{_PRICE})s?|what (?:do|does|did|must|will)\b.* (?:cost|pay)",
    "number": "how (?:much|long|old|far|tall|high|deep|large|big|fast|wide|heavy|hot|cold|warm)|"
    rf"{_WHAT}(?:number|percentage|percent|amount|fraction|age|length|height|size|weight|distance|rate|population|"
    "temperature|duration|capacity)",
    "place": rf"where|{_WHAT}(?:city|country|town|state|place|region|village|island|county|continent|"
    "location|port|street|address)",
    "thing": "what|which",
}
_PATTERNS: dict[Kind, re.Pattern[str]] = {
    kind: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for kind, words in _ASKED.items()
}
_OTHER = re.compile(r"\b(?:why|how)\b", re.IGNORECASE)

_OF_KIND: dict[Kind, dict[Shape, float]] = {
    "person": {"name": 1},
    "time": {"date": 1, "clock": 0.8},
    "money": {"money": 1, "number": 0.7},
    "count": {"number": 1, "measure": 0.5},
    "often": {"often": 1, "number": 0.3, "measure": 0.3},
    "number": {"number": 1, "measure": 1, "money": 1, "date": 0.5},
    "place": {"name": 1, "part name": 1},
    "thing": {"name": 1, "part name": 1, "plain": 1},
}
_DATE = re.compile(
    r"(?<![\w.,-])(?:1\d|20)\d\ds?(?![\w-]|[.,]\d)|\b(?:January|February|March|April|May|June|July|August|September|October|November|"
    r"December|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)s?\b|\b(?:centur(?:y|ies)|decades?|morning|evening|night|noon|"
    r"midnight|spring|summer|autumn|winter)\b"
)
_CLOCK = re.compile(r"\d:\d\d|\d ?[ap]\.?m\b")
_MONEY = re.compile(
    r"[$\u20ac\u00a3\u00a5\u20b9]|\b(?:euro|pound|dollar|crown|franc|cent|yen|penny|pence)s?\b", re.IGNORECASE
)
_OFTEN = re.compile(
    r"\b(?:every|each|once|twice|daily|weekly|monthly|yearly|annually|hourly|times a|per|a (?:day|week|month|year))\b"
)
_UNIT = re.compile(
    r"\d ?(?:%|\u00b0|[cmk]?m\b|k?g\b|m?l\b)|\b(?:percent|(?:kilo|centi|milli)?met(?:re|er)|mile|foot|feet|yard|"
    r"second|minute|hour|day|week|month|year|gram|kilo|tonne?|lit(?:re|er)|degree|hectare|acre|watt|volt|inch(?:e)?)s?\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(?:twen|thir|for|fif|six|seven|eigh|"
    r"nine)ty(?:-\w+)?|hundred|thousand|million|billion|dozen|half|twice|once|first|second|third)\b",
    re.IGNORECASE,
)
_SHAPES: dict[Shape, re.Pattern[str]] = {"money": _MONEY, "often": _OFTEN, "date": _DATE, "clock": _CLOCK}
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


def fits_kind(phrase: str, kind: Kind | None) -> float:
    """How far a phrase looks like what is asked for, from 0 to 1."""
    return 1.0 if kind is None else float(_OF_KIND[kind].get(_shape(phrase), 0))


def _shape(phrase: str) -> Shape:
    for shape, pattern in _SHAPES.items():
        if pattern.search(phrase):
            return shape
    if _NUMBER.search(phrase):
        return "measure" if _UNIT.search(phrase) else "number"
    words = [word for word in re.findall(r"[\w'\u2019.-]+", phrase) if word.lower() not in _JOINING]
    capitals = sum(word[0].isupper() for word in words)
    if not capitals:
        return "plain"
    return "name" if capitals == len(words) else "part name"
