"""What an English question asks for, by its words: a phrase of some kind, or sentences.

Of a question in another language, or one that asks how, every phrase is of the kind.
"""

import re
from typing import Literal

from dmdoc.text.tagger import tag_words
from dmdoc.text.words import alike, split_words, telling_words

Kind = Literal[
    "person",
    "time",
    "money",
    "count",
    "often",
    "long",
    "length",
    "weight",
    "heat",
    "number",
    "code",
    "mail",
    "place",
    "thing",
]
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
    "name",
    "part name",
    "plain",
]

Form = Literal["phrase", "sentence", "reason", "list", "count", "summary"]
"""What an answer is: a phrase; the sentence that tells of yes or no, or why; several sentences; a number that may have
to be counted; what all is about."""

_FORMS: dict[Form, str] = {
    "summary": r".*\b(?:summary|summari[sz]e|overview)\b|"
    r".*\bwhat (?:is|are) (?:this|these|it|the \w+)(?: \w+)? about\W*$",
    "list": r"\s*(?:list|name all|enumerate)\b|\s*(?:what|which|who) are all\b",
    "reason": r".*\bwhy\b|.*\bfor what reason\b",
    "count": r".*\bhow many\b",
    "sentence": r"\s*(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should|may|must|might)\b"
    r"(?!.* or )",
}

_OWNER = r"the|its|his|her|their|my|your|our|(?:\w+ ){0,2}?\w+(?:['\u2019]s|s['\u2019])"
_WHAT = (
    rf"(?:what|which)(?:['\u2019]s)? (?:(?:(?:is|was|are|were) )?(?:{_OWNER}) )?"
    r"(?:[\w-]+(?:['\u2019]s?)? ){0,2}?"
)
_PRICE = (
    r"price|cost|fee|fare|rent|deposit|salary|budget|turnover|revenue|subscription|balance|"
    r"total(?= (?:of|on|for)\b|\W*$)"
)
_CODE = r"(?:post)?code|password|pin|passcode|reference|registration|(?:phone|telephone|mobile|fax) number"
_ASKED: dict[Kind, str] = {
    "person": "who|whom|whose",
    "time": rf"when|{_WHAT}(?:year|date|day|month|time|century|decade|season)s?",
    "often": "how (?:often|frequently)",
    "count": rf"how (?:many|few)|{_WHAT}(?<!phone )number of",
    "money": rf"how much (?:is|are|was|were|do|does|did|must|should|will|would)\b(?!.* (?:weigh|measure|hold))|"
    rf"{_WHAT}(?:{_PRICE})s?|what (?:do|does|did|must|will)\b.* (?:cost|pay)",
    "weight": rf"how (?:heavy\b|much\b.* weigh)|{_WHAT}weight",
    "long": rf"how long|{_WHAT}duration",
    "length": rf"how (?:far|tall|high|deep|wide)|{_WHAT}(?:length|height|width|depth|distance|mileage)",
    "heat": rf"how (?:hot|cold|warm)|{_WHAT}temperature",
    "code": rf"{_WHAT}(?:{_CODE})",
    "mail": rf"{_WHAT}e-?mail",
    "number": "how (?:much|old|large|big|fast)|"
    rf"{_WHAT}(?:number|percentage|percent|amount|fraction|age|size|rate|population|capacity)",
    "place": rf"where|{_WHAT}(?:city|country|town|state|place|region|village|island|county|continent|"
    "location|port|street|address)",
    "thing": "what|which",
}
_PATTERNS: dict[Kind, re.Pattern[str]] = {
    kind: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for kind, words in _ASKED.items()
}
_OTHER = re.compile(r"\b(?:why|how)\b", re.IGNORECASE)

_OF_KIND: dict[Kind, dict[Shape, float]] = {
    "person": {"person": 1, "name": 1},
    "time": {"date": 1, "clock": 0.8},
    "money": {"money": 1, "number": 0.7},
    "count": {"number": 1, "span": 0.5, "length": 0.5, "weight": 0.5, "heat": 0.5, "measure": 0.5},
    "often": {"often": 1, "number": 0.3, "span": 0.3},
    "long": {"span": 1, "length": 1, "number": 0.6, "date": 0.5},
    "length": {"length": 1, "number": 0.6, "span": 0.5},
    "weight": {"weight": 1, "number": 0.6},
    "heat": {"heat": 1, "number": 0.6},
    "number": {
        "number": 1,
        "span": 1,
        "length": 1,
        "weight": 1,
        "heat": 1,
        "measure": 1,
        "money": 1,
        "date": 0.5,
    },
    "code": {"number": 1, "measure": 0.5, "length": 0.5, "weight": 0.5, "plain": 0.5},
    "mail": {"mail": 1},
    "place": {"name": 1, "part name": 1},
    "thing": {"person": 1, "name": 1, "part name": 1, "plain": 1},
}
_ASKING = frozenset(re.findall(r"[a-z]{3,}", " ".join(_ASKED.values())))
"""All words that say what a question wants; some of them are pieces of words."""

_MEASURED: frozenset[Kind | None] = frozenset(
    ("time", "money", "count", "often", "long", "length", "weight", "heat", "number", "mail")
)
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
    r"\b(?:every|each|once|twice|daily|weekly|monthly|yearly|annually|hourly|times a|per|a (?:day|week|month|year))\b"
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


_SMALL_TALK = re.compile(
    r"(?:(?:hi|hello|hey|good (?:morning|day|afternoon|evening|night)|"
    r"(?:many )?thanks?(?: you)?(?: (?:very|so) much| a lot)?|"
    r"ok(?:ay)?|fine|great|good|nice|perfect|cool|well done|sorry|please|yes|no|bye|goodbye|see you|cheers|there|dmdoc)"
    r"(?:[\s,.!?]+|$))+",
    re.IGNORECASE,
)


def is_small_talk(text: str) -> bool:
    """Whether a line greets, thanks or agrees, and asks nothing."""
    return _SMALL_TALK.fullmatch(text.strip()) is not None


def form_asked(question: str) -> Form:
    """What would answer a question."""
    found = (form for form, words in _FORMS.items() if re.match(words, question, re.IGNORECASE | re.DOTALL))
    return next(found, "phrase")


_SUMMARISED = re.compile(
    r"\b(?:summary|summari[sz]e|overview|give|brief|briefly|short|shortly|about|document|file|text|main|points?)\b",
    re.IGNORECASE,
)


def naming_words(question: str) -> str:
    """What a question for a summary says of the document, without what asks for the summary; may be ""."""
    return " ".join(telling_words(_SUMMARISED.sub(" ", question)))


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


def is_no_measure(phrase: str, question: str) -> bool:
    """Whether words were found where a number, a time or an e-mail address is asked for."""
    kind = kind_asked(question)
    return kind in _MEASURED and fits_kind(phrase, kind) == 0 and not _NUMBER.search(phrase)


def things_asked(question: str) -> list[str]:
    """The nouns that tell what a question is about, in lower case, without those that say what it wants of that."""
    nouns = (word.text for word in tag_words(question) if word.tag.startswith("NN"))
    return [word for word in telling_words(" ".join(nouns)) if word not in _ASKING]


def speaks_of(said: str, things: list[str]) -> bool:
    """Whether a text has one of some words, or a form of it; of none it does."""
    there, sought = ([re.sub("ies$", "y", word) for word in words] for words in (split_words(said), things))
    return not things or any(alike(word, thing) for word in there for thing in sought)


def _shape(phrase: str) -> Shape:
    for shape, pattern in _SHAPES.items():
        if pattern.search(phrase):
            return shape
    if _NUMBER.search(phrase):
        units = (shape for shape, unit in _UNITS.items() if re.search(unit, phrase, re.IGNORECASE))
        return next(units, "number")
    if _TITLED.match(phrase):
        return "person"
    words = [word for word in re.findall(r"[\w'\u2019.-]+", phrase) if word.lower() not in _JOINING]
    capitals = sum(word[0].isupper() for word in words)
    if not capitals:
        return "plain"
    return "name" if capitals == len(words) else "part name"
