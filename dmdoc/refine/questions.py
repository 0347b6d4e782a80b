"""Questions that a text answers, made from its own sentences: by rule, in English, without a model of their own.

A question asks for what a sentence says (phrases.py) in the words of the rest of it and in several ways: "The trawler
Ines was built in Oslo in 1937." → "The trawler Ines was built in Oslo when?", "In what year the trawler Ines was built
in Oslo?", "When was the trawler Ines built in Oslo?". What the sentences before it speak of is named, too: "Who is
Ines's captain?" of "Her captain is Ida Roe." They need not be good English: they stand for what people will ask in
words of their own. People name the kind of what they seek ("Which material ...?"), so these do. Knows nothing about
models or tokens.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from dmdoc.refine.gaps import Gap, find_gaps
from dmdoc.text.phrases import SMALL_WORD, Form, dimension

Ways = tuple[str, str, str, str]
"""The question words of each of the four ways of asking; the first keeps the order of the sentence."""

KindNamer = Callable[[Sequence[tuple[str, str]]], Sequence[str]]
"""(sentence, phrase of it) → what kind of thing it is: "material"."""

_BY_FORM: dict[Form, Ways] = {
    "date": ("when", "on what date", "when", "when"),
    "time": ("when", "at what time", "when", "at what time"),
    "century": ("when", "in what century", "when", "in which century"),
    "decade": ("when", "in what decade", "when", "in which decade"),
    "year": ("when", "in what year", "when", "in which year"),
    "amount": ("how much", "how much", "what", "how much"),
    "number": ("how many", "how many", "what", "how much"),
}
_BY_DIMENSION: dict[str, Ways] = {
    "length": ("how many", "how far", "how long", "how high"),
    "time": ("how many", "how long", "how many", "how long"),
    "money": ("how many", "how much", "how much", "how many"),
    "amount": ("how many", "how much", "how many", "how much"),
}
_COUNTED: Ways = ("how many", "how many", "how many", "how many")
_WHO: Ways = ("who", "who", "who", "which person")
_WHAT: Ways = ("what", "what", "what", "what")
_DAY: Ways = ("on which day", "on what day", "when", "which day")
_DAY_OF_WEEK = re.compile("(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?")

_PERSONS = {"person", "people"}
_PLACES = {"town", "country", "place", "building"}
_VAGUE = {"quality", "thing", "idea", "place", "product", "group", "person", "people", "law", "event"}
"""Kinds that nobody asks for by their name."""

_MODIFIERS = {"colour", "material"}
"""Kinds of adjectives that are asked for where they stand in front of a noun."""

_TOPIC_WAYS = (1, 3)
"""Of the ways of asking those in which the topics of a gap are named, one in each."""

_POSSESSIVE = re.compile(r"\b(?i:its|her|his|their)\b")
_PRONOUN = re.compile(r"\b(?i:it|she|he|they|them|him)\b")

_IN_PLACE_OF_PREPOSITION = ("when", "where", "in ", "on ", "at ")
_PREPOSITION = re.compile(r"(?:^| )(?i:in|on|at|since|from|to|by|during|until|into|near)$")
_AUXILIARY = re.compile(
    r"(.+?) (is|was|are|were|has|have|had|can|could|will|would|must|may|might|should)\b ?(.*)"
)


class Asked(NamedTuple):
    """What asks for an answer."""

    questions: list[str]
    is_vague: bool
    """It is a word or two of a kind that nobody asks for by its name: "good order"."""


def make_questions(text: str, name_kinds: KindNamer) -> dict[str, Asked]:
    """Everything in a text that can be asked for (gaps.py), in its order: answer → what asks for it, none twice."""
    gaps = find_gaps(text)
    asked_by_kind = [gap for gap in gaps if gap.phrase.form in ("name", "thing", "quality", "modifier")]
    kinds = dict(
        zip(asked_by_kind, name_kinds([(gap.sentence, gap.answer) for gap in asked_by_kind]), strict=True)
    )
    made: dict[str, dict[str, None]] = {}
    for gap in gaps:
        ways = _asked_with(gap, kinds.get(gap, ""))
        questions = [_question(gap, asking, way) for way, asking in enumerate(ways)]
        if ways:
            asked = zip(_TOPIC_WAYS, gap.topics, strict=False)
            questions += [_about(topic, questions[way]) for way, topic in asked]
            made.setdefault(gap.answer, {}).update(dict.fromkeys(questions))
    vague = {gap.answer for gap, kind in kinds.items() if gap.phrase.form != "name" and kind in _VAGUE}
    return {answer: Asked(list(questions), answer in vague) for answer, questions in made.items()}


def _asked_with(gap: Gap, kind: str) -> Ways | tuple[()]:
    """The question words for what is asked for; none for a modifier that nobody asks for."""
    form, noun = gap.phrase.form, gap.phrase.noun
    if form in ("count", "measure", "label"):
        return _asked_for_number(form, noun)
    if form == "modifier":
        return (f"what {kind}", f"what {kind}", f"which {kind}", f"what {kind}") if kind in _MODIFIERS else ()
    if form not in ("name", "thing", "quality"):
        return _BY_FORM[form]
    if _DAY_OF_WEEK.fullmatch(gap.answer):
        return _DAY
    if kind in _PERSONS:
        return _WHAT if form == "quality" else _WHO
    if form == "name" and kind in _PLACES:
        return ("where", f"what {kind}", "where", f"which {kind}")
    if kind in _PLACES | _VAGUE:
        return ("what", "what", "what", "which") if form == "name" else _WHAT
    return ("what", f"what {kind}", f"which {kind}", "what")


def _asked_for_number(form: Form, noun: str) -> Ways:
    if form == "label":
        return (f"which {noun}", f"what {noun}", f"which {noun}", "what")
    ways = _BY_DIMENSION.get(dimension(noun) or "", _COUNTED)
    first, second, third, fourth = (f"{words} {noun}" if words == "how many" else words for words in ways)
    return (first, second, third, fourth)


def _question(gap: Gap, asking: str, way: int) -> str:
    before, after = gap.before, gap.after
    if way == 0:
        words = [before, asking, after]
    else:
        if asking.startswith(_IN_PLACE_OF_PREPOSITION):
            before = _PREPOSITION.sub("", before)
        if re.match(SMALL_WORD, before):
            before = before[0].lower() + before[1:]
        auxiliary = _AUXILIARY.fullmatch(before)
        if way == 1 or not before:
            words = [asking, before, after]
        elif auxiliary:
            subject, verb, rest = auxiliary.groups()
            words = [asking, verb, subject, rest, after]
        else:
            words = [asking, "did", before, after]
    question = " ".join(word for word in words if word)
    return question[0].upper() + question[1:] + "?"


def _about(topic: str, question: str) -> str:
    """Name what a question is about: in place of its first pronoun, or at its end."""
    for pronoun, name in ((_POSSESSIVE, f"{topic}'s"), (_PRONOUN, topic)):
        if found := pronoun.search(question):
            return f"{question[: found.start()]}{name}{question[found.end() :]}"
    return f"{question[:-1]} of {topic}?"
