"""What phrases look like: a date, an amount of money, a length, a name, a place. Knows nothing about questions."""

import re
from typing import Literal

Shape = Literal[
    "mail",
    "date",
    "clock",
    "money",
    "often",
    "span",
    "length",
    "weight",
    "heat",
    "measure",
    "number",
    "person",
    "place",
    "name",
    "part name",
    "numbered",
    "plain",
]

_DATE = re.compile(
    r"(?<![\w.,-])(?:1\d|20)\d\ds?(?![\w-]|[.,]\d)|\b(?:January|February|March|April|May|June|July|August|September|October|November|"
    r"December|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)s?\b|\b(?:centur(?:y|ies)|decades?|morning|evening|night|noon|"
    r"midnight|spring|summer|autumn|winter)\b|\b[0-3]?\d(?:st|nd|rd|th)\b(?= of\b|$)"
)
_CLOCK = re.compile(r"\d:\d\d|\d ?[ap]\.?m\b")
_MONEY = re.compile(
    r"[$\u20ac\u00a3\u00a5\u20b9]|\b(?:euro|pound|dollar|crown|franc|cent|yen|penny|pence)s?\b", re.IGNORECASE
)
_OFTEN = re.compile(
    r"\b(?:every|each|once|twice|hourly|daily|nightly|weekly|fortnightly|monthly|quarterly|yearly|annually|regularly|"
    r"times an?|per|an? (?:hour|day|week|month|year)|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days)\b"
)
_UNITS: dict[Shape, str] = {
    "span": r"\d ?(?:h|min|sec)\b|\b(?:second|minute|hour|day|night|week|month|year|decade)s?\b",
    "length": r"\d ?[cmk]?m\b|\b(?:(?:kilo|centi|milli)?met(?:re|er)|mile|foot|feet|yard|inch(?:e)?)s?\b",
    "weight": r"\d ?(?:k|m)?g\b|\b(?:gram|kilo(?:gram)?|tonne?|pound|ounce)s?\b",
    "heat": r"\d ?\u00b0(?: ?[CF])?|\bdegrees?\b",
    "measure": r"\d ?(?:%|m?l\b|k?W\b)|\b(?:percent|lit(?:re|er)|hectare|acre|watt|volt)s?\b",
}
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(?:twen|thir|for|fif|six|seven|eigh|"
    r"nine)ty(?:-\w+)?|hundred|thousand|million|billion|dozen|half|twice|once|first|second|third)\b",
    re.IGNORECASE,
)
_ORDINAL = re.compile(r"(?:the )?(?:\d+(?:st|nd|rd|th)|first|second|third) (?=\w)", re.IGNORECASE)
_NUMBERED = re.compile(
    r"(?!(?:about|around|almost|nearly|over|under|only|some|up|than)\b)[^\W\d]{3,}(?: [^\W\d]{3,})? [A-Z]?\d+[A-Za-z]?"
)
"""What is told from others of its kind by a number: "room 461", "Pier 9"."""
_MAIL = re.compile(r"\w@\w")
_SHAPES: dict[Shape, re.Pattern[str]] = {
    "mail": _MAIL,
    "money": _MONEY,
    "often": _OFTEN,
    "date": _DATE,
    "clock": _CLOCK,
}
_TITLED = re.compile(r"(?:Mr|Mrs|Ms|Miss|Dr)\b\.? [A-Z]")
_JOINING = {"of", "the", "and", "de", "von", "van", "for", "in"}
_PLACES = (
    "room|hall|floor|street|road|lane|square|gate|entrance|door|pier|quay|dock|harbour|station|stop|platform|house|office|"
    "building|school|church|inn|hotel|library|museum|park|garden|yard|court|kitchen|cellar|attic|shed|barn|garage|desk|"
    "shelf|drawer|cupboard|counter|bridge|river|lake|coast|island|village|town|city|county|country|centre"
)
_PLACE = re.compile(rf"\b(?:{_PLACES})s?\b", re.IGNORECASE)
_AT = re.compile(
    r"\b(?:in|into|inside|at|on|near|to|from|by|behind|under|beside|outside|opposite|above|below|between|off|through|"
    r"next to|in front of)(?: the| an?| its| their| our| your)?\s*$",
    re.IGNORECASE,
)


def has_number(phrase: str) -> bool:
    """Whether a number stands in it, in digits or in words."""
    return _NUMBER.search(phrase) is not None


def names_place(phrase: str, before: str = "") -> bool:
    """Whether it has a word for a place, or stands behind one that makes a place of it: "at the", "near"."""
    return (_PLACE.search(phrase) or _AT.search(before)) is not None


def shape(phrase: str) -> Shape:
    """What a phrase looks like, by its words and signs."""
    for form, pattern in _SHAPES.items():
        if pattern.search(phrase):
            return form
    phrase = _ORDINAL.sub("", phrase, count=1)
    if _NUMBERED.fullmatch(phrase):
        return "numbered"
    if _NUMBER.search(phrase):
        units = (form for form, unit in _UNITS.items() if re.search(unit, phrase, re.IGNORECASE))
        return next(units, "number")
    if _TITLED.match(phrase):
        return "person"
    words = [word for word in re.findall(r"[\w'\u2019.-]+", phrase) if word.lower() not in _JOINING]
    capitals = sum(word[0].isupper() for word in words)
    if not capitals:
        return "plain"
    return "name" if capitals == len(words) else "part name"
