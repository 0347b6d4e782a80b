"""What an English question asks for, by its words: a phrase of some kind, or sentences.

Of a question in another language, or one that asks how, every phrase is of the kind.
"""

import re
from collections.abc import Iterable
from typing import Literal

from dmdoc.text.shapes import Shape, has_number, names_place, shape
from dmdoc.text.tagger import tag_words
from dmdoc.text.words import alike, names, split_words, telling_words

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
Form = Literal["phrase", "sentence", "reason", "list", "count", "summary"]
"""What an answer is: a phrase; the sentence that tells of yes or no, or why; several sentences; a number that may have
to be counted; what all is about."""

_FORMS: dict[Form, str] = {
    "summary": r".*\b(?:summary|summari[sz]e|overview)\b|"
    r".*\bwhat (?:is|are) (?:this|these|it|the \w+)(?: \w+)? about\W*$",
    "list": r"\s*(?:please )?(?:list|enumerate|(?:name|give me|show me|tell me) all)\b|\s*(?:what|which|who) are all\b",
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
    r"price|cost|fee|fare|rent|deposit|salary|wage|budget|turnover|revenue|subscription|balance|fine|penalty|charge|"
    r"value|worth|donation|grant|sum|"
    r"total(?= (?:of|on|for)\b|\W*$)"
)
_CODE = r"(?:post)?code|password|pin|passcode|reference|registration|(?:phone|telephone|mobile|fax) number"
_ASKED: dict[Kind, str] = {
    "person": "who|whom|whose",
    "time": rf"when|{_WHAT}(?:year|date|day|month|time|century|decade|season|deadline)s?",
    "often": "how (?:often|frequently)",
    "count": rf"how (?:many|few)|{_WHAT}(?<!phone )number of",
    "money": rf"how much (?:is|are|was|were|do|does|did|must|should|will|would)\b(?!.* (?:weigh|measure|hold))|"
    rf"{_WHAT}(?:{_PRICE})s?|what (?:do|does|did|must|will|is|are|was|were|has|have|had)\b.* "
    r"(?:cost|pay|paid|spen[dt]|charged?)",
    "weight": rf"how (?:heavy\b|much\b.* weigh)|{_WHAT}weight",
    "long": rf"how (?:long|soon)|{_WHAT}duration",
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
    "time": {"date": 1, "clock": 0.8, "often": 0.8},
    "money": {"money": 1, "number": 0.7},
    "count": {
        "number": 1,
        "often": 0.5,
        "span": 0.5,
        "length": 0.5,
        "weight": 0.5,
        "heat": 0.5,
        "measure": 0.5,
    },
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
        "often": 0.5,
        "date": 0.5,
        "numbered": 0.7,
    },
    "code": {"number": 1, "numbered": 1, "measure": 0.5, "length": 0.5, "weight": 0.5, "plain": 0.5},
    "mail": {"mail": 1},
    "place": {"place": 1, "name": 0.7, "part name": 0.7},
    "thing": {"person": 1, "place": 1, "name": 1, "part name": 1, "numbered": 1, "plain": 1},
}
_FREE = re.compile(
    r"(?:entirely |completely )?free(?: of charge)?|(?:no|without) (?:charge|cost)|nothing", re.IGNORECASE
)
_NAME_LETTERS = 3
"""What has fewer is an initial or a sign."""

_ASKING = frozenset(re.findall(r"[a-z]{3,}", " ".join(_ASKED.values())))
"""All words that say what a question wants; some of them are pieces of words."""

_MEASURED: frozenset[Kind | None] = frozenset(
    ("time", "money", "count", "often", "long", "length", "weight", "heat", "number", "mail")
)
_WHERE = re.compile(r"\bwhere\b", re.IGNORECASE)
_NOWHERE: frozenset[Shape] = frozenset(
    ("mail", "money", "often", "date", "clock", "heat", "weight", "person")
)
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


_REQUEST = re.compile(
    r"\s*(?:please\s+)?(?:(?:can|could) you\s+(?:please\s+)?)?"
    r"(?:list|enumerate|name|give|show|tell)\b(?!\s+of\b)(?:\s+(?:me|us)\b)?(?:\s+about\b)?",
    re.IGNORECASE,
)


def without_request(question: str) -> str:
    """A question without the words that ask for an answer as such: "List all customers" is about customers."""
    return _REQUEST.sub("", question, count=1) if _REQUEST.match(question) else question


def kind_asked(question: str) -> Kind | None:
    """What a question asks for; None where its words do not tell."""
    for kind, pattern in _PATTERNS.items():
        if kind == "thing" and _OTHER.search(question):
            return None
        if pattern.search(question):
            return kind
    return None


def fits_kind(phrase: str, kind: Kind | None, before: str = "") -> float:
    """How far a phrase looks like what is asked for, from 0 to 1.

    Args:
        before: what stands before it: "at the" makes a place of what else could be anything.
    """
    if kind is None:
        return 1.0
    if kind == "money" and _FREE.fullmatch(phrase):
        return 1.0
    form = shape(phrase)
    if kind == "place" and form not in _NOWHERE and names_place(phrase, before):
        form = "place"
    return float(_OF_KIND[kind].get(form, 0))


def cannot_answer(phrase: str, question: str) -> bool:
    """Whether a phrase is none where a number, a time, an e-mail address or a place is asked for, or how often."""
    kind = kind_asked(question)
    if kind == "often":
        return shape(phrase) != "often"
    if kind == "place" and _WHERE.search(question):
        return shape(phrase) in _NOWHERE
    return kind in _MEASURED and fits_kind(phrase, kind) == 0 and not has_number(phrase)


def things_asked(question: str) -> list[str]:
    """The nouns that tell what a question is about, in lower case, without those that say what it wants of that."""
    nouns = (word.text for word in tag_words(question) if word.tag.startswith("NN"))
    return [word for word in telling_words(" ".join(nouns)) if word not in _ASKING]


def speaks_of(said: str, things: list[str]) -> bool:
    """Whether a text has one of some words, or a form of it; of none it does."""
    return not things or any(alike(word, thing) for word in split_words(said) for thing in things)


def is_of_strangers(question: str, text: Iterable[str]) -> bool:
    """Whether a question names somebody or something, and a text has no word of any of its names."""
    sought = [word for word in names(question) if word.isalpha() and len(word) >= _NAME_LETTERS]
    sought = [word for word in sought if shape(word.capitalize()) == "name"]  # no month and no day
    there = "".join(word for part in text for word in split_words(part))
    return bool(sought) and not any(word.removesuffix("s") in there for word in sought)
