"""What a sentence says that can be asked for: its dates, numbers and names, and the things and qualities it speaks of.

Dates, numbers and names are found by their form, everything else by the tags of its words (tagger.py). Knows nothing
about questions, models or tokens.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from dmdoc.text.tagger import Word, tag_words

Form = Literal[
    "date", "time", "century", "decade", "year", "amount", "measure", "count", "label", "number", "name", "thing",
    "quality", "modifier",
]  # fmt: skip
"""A modifier stands in front of a thing; a quality is what something is said to be. The numbers: a measure has a unit
("38 metres"), a count what it counts ("22 seals"), a label is one of several ("bay 16")."""

MOST_WORDS = 4
"""Of a thing: a longer run of nouns is more often a mistake of the tagger than a phrase."""

SMALL_WORD = (
    "(?i:a|about|after|against|all|also|an|and|any|are|as|at|be|been|before|being|between|both|but|by|can|could|did|do|"
    "does|during|each|few|for|from|had|has|have|he|her|here|his|how|however|i|if|in|into|is|it|its|many|may|might|"
    "more|most|must|near|no|not|of|on|one|only|or|our|over|she|should|since|so|some|such|than|that|the|their|them|"
    "then|there|these|they|this|those|through|to|under|until|was|we|were|what|when|where|which|while|who|whose|will|"
    r"with|would|you|your)\b"
)
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DIGITS = r"\d(?:[\d.,]*\d)?"
_RANGE = rf"{_DIGITS}(?:(?:[ ]?[\u2013-][ ]?|[ ](?:to|through|or)[ ]){_DIGITS})?"
_MANY = "(?:million|billion|thousand)"
_NUMERAL_WORD = (
    "(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    "(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-[a-z]+)?|(?:hundred|thousand|million|dozen)s?)"
)
_NUMERAL = rf"(?i:(?:one[ ])?{_NUMERAL_WORD}(?:[ ](?:and[ ])?{_NUMERAL_WORD})*)"
_ORDINAL = r"(?:\d{1,2}(?:st|nd|rd|th)|[a-z]+(?:st|nd|rd|th))"
_HALF_DAY = r"[ap](?:\.m\.|m\b)"
_SMALL_LETTERS = r"a-z\u00df-\u00f6\u00f8-\u00ff\u03ac-\u03ce\u0430-\u045f"
"""Of Latin, Greek and Cyrillic."""

_CAPITAL = rf"(?:[dl]['\u2019])?[^\W\d_{_SMALL_LETTERS}](?:[\w'\u2019-]|[&\u2013](?=[^\W\d_]))*"
"""A word of a name: "Lund", "X-Rays", "D&B", "d'Hondt", "Disney-ABC"."""

_INITIALS = rf"(?:(?:[^\W\d_{_SMALL_LETTERS}]|St)\.[ ]?){{0,3}}"
_TITLE = "(?:Dr|Mr|Mrs|Ms|Prof)"
"""Not asked for."""

_PARTICLE = "(?:d[aeiu]|del|de[ ]la|van(?:[ ]de[nr]?)?|von)"
_JOINING = rf"(?:of(?:[ ]the)?|&|{_PARTICLE})"
_NAME_WORD = rf"(?!{SMALL_WORD}|{_TITLE}\b|{_MONTH}[ ]\d){_CAPITAL}"
_FIRST_WORD = rf"(?!\w(?![\w'\u2019&-])){_NAME_WORD}"
_BY_FORM = re.compile(
    rf"""(?<![\w-])(?:
      (?P<date> \d{{1,2}}[ ]{_MONTH}(?:,?[ ]\d{{4}})? | {_MONTH}(?:[ ]\d{{1,2}})?(?:,?[ ]\d{{4}})? )
    | (?P<time> \d{{1,2}}:\d\d(?:[ ]{_HALF_DAY})? | \d{{1,2}}[ ]{_HALF_DAY} )
    | (?P<century> {_ORDINAL}[ ]centur(?:y|ies)(?:[ ](?:BCE?|CE|AD)\b)? )
    | (?P<decade> (?:1\d|20)\d0s )
    | (?P<year> (?:1\d|20)\d\d )
    | (?P<amount> [$€£₹][ ]?{_DIGITS}(?:[ ]{_MANY})? | {_RANGE}[ ]?(?:%|percent\b) )
    | (?P<number> (?P<digits> {_RANGE}(?:[ ]{_MANY})?|{_NUMERAL}\b )
        (?:[ ]?°[CF]|[ ](?P<unit>(?!{SMALL_WORD})(?:(?:square|cubic)[ ])?[a-z]+))? )
    | ["\u201c](?P<quoted> [^\s"\u201c\u201d]+(?:[ ][^\s"\u201c\u201d]+){{0,4}}?(?<![,.]) )[,.]?["\u201d]
    | (?P<name> (?<!,[ ]){_FIRST_WORD}[ ]and[ ]{_NAME_WORD}(?![\w-]|[ ](?:{_JOINING}[ ])?{_CAPITAL})
        | {_INITIALS}(?:{_PARTICLE}[ ])?{_FIRST_WORD}(?:[ ](?:{_JOINING}[ ])?{_INITIALS}{_NAME_WORD})*
          (?:[ ]\d{{1,3}}(?![.,:/]?\d|[ ]?[%°]|[ ](?!{SMALL_WORD})[a-z]))? )
    )(?![\w-])""",
    re.VERBOSE,
)
_UNITS = {
    "length": "metre kilometre centimetre meter kilometer centimeter mile foot feet yard km m cm mm",
    "time": "second minute hour day week month year decade century centuries",
    "money": "euro dollar pound crown franc yen cent",
    "amount": "gram kilogram kilo tonne ton litre liter kg g percent degree hectare acre watt volt square cubic",
}
_DIMENSIONS = {unit: dimension for dimension, units in _UNITS.items() for unit in units.split()}

_AUXILIARIES = {"is", "are", "was", "were", "be", "been"}
_POINTING = {"the", "this", "that", "these", "those"}
_QUANTIFIERS = {"certain", "different", "many", "numerous", "other", "several", "various"}
_DETERMINERS = {"DT", "PDT", "WDT", "PRP", "PRP$", "POS", "WP", "EX", "CD", "CC"}
_NOT_ASKED_FOR = {"RB", "RBS", "VBN", "VBD"}


class Phrase(NamedTuple):
    """Where it stands in its sentence, and what it is by its form."""

    start: int
    end: int
    form: Form
    answer: str
    """What it says: all of it, but of counts and labels the number alone, and nothing of the quotes or 's of a name."""
    noun: str = ""
    """What a number measures, counts or labels."""


def dimension(noun: str) -> str | None:
    """What a unit measures: length, time, money, another amount; None where a noun is no unit."""
    first = noun.split()[0]
    return _DIMENSIONS.get(first) or _DIMENSIONS.get(first.removesuffix("s"))


def find_phrases(sentence: str) -> list[Phrase]:
    """Everything that can be asked for in a sentence, in order; only a modifier overlaps another."""
    words = tag_words(sentence)
    found = list(_by_form(sentence, words))
    for phrase in [*_things(sentence, words), *_qualities(sentence, words), *_closing(sentence, words)]:
        small = re.fullmatch(SMALL_WORD, phrase.answer)
        if not small and not any(_overlap(phrase, other) for other in found):
            found.append(phrase)
    return sorted(found)


def _overlap(one: Phrase, other: Phrase) -> bool:
    if {one.form, other.form} == {"modifier", "thing"}:
        return False
    return one.start < other.end and other.start < one.end


def _by_form(sentence: str, words: Sequence[Word]) -> Iterator[Phrase]:
    nouns = [word for word in words if word.tag.startswith("NN") and word.text.isalpha()]
    begins, ends = {noun.start for noun in nouns}, {noun.end: noun for noun in nouns if noun.tag == "NN"}
    for match in _BY_FORM.finditer(sentence):
        start, end = match.span()
        form: Form = match.lastgroup  # type: ignore[assignment]  # the groups are named after the forms, but for quoted
        answer, unit, label = match[0], match["unit"], ends.get(start - 1)
        if match["quoted"]:
            yield Phrase(start, end, "name", match["quoted"])
        elif form == "name":
            labelled = re.fullmatch(r"([^\W\d]+) (\d+)", answer) if start == 0 else None
            if labelled:
                yield Phrase(start, end, "label", labelled[2], labelled[1].lower())
            elif _is_name(answer, start, words):
                yield Phrase(start, end, "name", re.sub("['\u2019]s?$", "", answer))
        elif unit is not None and dimension(unit) is not None:
            yield Phrase(start, end, "measure", answer, unit)
        elif unit is not None and match.start("unit") in begins:
            yield Phrase(start, end, "count", match["digits"], unit)
        elif label is not None and form == "number" and answer.isdigit():
            yield Phrase(label.start, end, "label", answer, label.text)
        elif unit is not None:
            yield Phrase(start, match.end("digits"), "number", match["digits"])
        else:
            yield Phrase(start, end, form, answer)


def _is_name(answer: str, start: int, words: Sequence[Word]) -> bool:
    """Whether words have their capital from being a name, and not from where they stand.

    Of one word that begins a sentence the tagger knows it.
    """
    if start == 0 and " " not in answer:
        return any(word.start == 0 and word.tag.startswith("NNP") for word in words)
    return any(letter.isupper() for letter in answer)


def _spoken(sentence: str, words: Sequence[Word], form: Form) -> Phrase:
    start, end = words[0].start, words[-1].end
    return Phrase(start, end, form, sentence[start:end])


def _things(sentence: str, words: Sequence[Word]) -> Iterator[Phrase]:
    """Noun phrases without what stands before them ("the", "our", "two"), and adjectives in front of their nouns.

    Left out are names, and a lone noun that begins the sentence or is pointed at ("the machine"): it is what the
    sentence is about.
    """
    for begin, end in _runs(words):
        run = list(words[begin:end])
        determined = end < len(words) and words[end].tag in ("DT", "PRP$", "CD")
        if len(run) > 1 and run[-1].tag == "NNS" and determined:
            run.pop()  # a verb: "a dolphin guards the fountain"
        while run and not run[-1].tag.startswith("NN"):
            run.pop()
        if not 1 <= len(run) <= MOST_WORDS:
            continue
        if len(run) > 1 and run[0].tag.startswith("JJ"):
            yield _spoken(sentence, run[:1], "modifier")
        topic = len(run) == 1 and (begin == 0 or words[begin - 1].text.lower() in _POINTING)
        if not topic and not any(word.tag.startswith("NNP") for word in run):
            yield _spoken(sentence, run, "thing")


def _runs(words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """(begin, end) of neighbouring words of one noun phrase without determiners and punctuation."""
    begin = None
    for index, word in enumerate(words):
        determiner = word.tag in _DETERMINERS or word.text.lower() in _QUANTIFIERS
        inside = word.chunk.endswith("-NP") and not determiner and word.text[0].isalnum()
        if begin is not None and (not inside or word.chunk == "B-NP"):
            yield begin, index
            begin = None
        if inside and begin is None:
            begin = index
    if begin is not None:
        yield begin, len(words)


def _qualities(sentence: str, words: Sequence[Word]) -> Iterator[Phrase]:
    """What something is said to be: "crimson" of "is painted crimson"."""
    for index, word in enumerate(words):
        if word.text.lower() not in _AUXILIARIES:
            continue
        begin = index + 1
        while begin < len(words) and _is_passed_over(words[begin]):
            begin += 1
        end = begin
        while end < len(words) and words[end].tag.startswith("JJ"):
            end += 1
        if end > begin and not (end < len(words) and words[end].tag.startswith("NN")):
            yield _spoken(sentence, words[begin:end], "quality")


def _is_passed_over(word: Word) -> bool:
    return word.tag in _NOT_ASKED_FOR or (word.tag == "JJ" and word.text.endswith("ed"))


def _closing(sentence: str, words: Sequence[Word]) -> Iterator[Phrase]:
    """The last word, where it is no noun phrase: "stargazing" of "her pastime is stargazing"."""
    spoken = [word for word in words if word.text[0].isalnum()]
    if (
        spoken
        and spoken[-1].tag in ("VBG", "VBN", "JJ", "NN", "NNS")
        and not spoken[-1].chunk.endswith("-NP")
    ):
        yield _spoken(sentence, spoken[-1:], "quality")
