"""Questions that a text answers, made from its own sentences: by rule, in English, without a model.

A question asks for a name, a number, a date or the closing words of a sentence, in the words of the rest of it and in
several ways: "The trawler Ines was built in Oslo in 1937." → "The trawler Ines was built in Oslo when?", "In what year
the trawler Ines was built in Oslo?", "When was the trawler Ines built in Oslo?". They need not be good English: they
stand for what people will ask in words of their own. Knows nothing about models or tokens.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from dmdoc.sentences import split_sentences

FEWEST_WORDS = 2
"""Words that a question has to have of its sentence."""

MOST_WORDS_BEFORE, MOST_WORDS_AFTER = 12, 6
"""Words that it takes at most from before and from after its answer: people ask short questions of long sentences."""

MOST_MENTIONS = 2
"""Of an answer: what is told of more often is what the text is about; practised, it would answer everything."""

_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_SMALL_WORD = (
    "(?i:a|about|after|against|all|also|an|and|any|are|as|at|be|been|before|being|between|both|but|by|can|could|did|do|"
    "does|during|each|few|for|from|had|has|have|he|her|here|his|how|however|i|if|in|into|is|it|its|many|may|might|"
    "more|most|must|near|no|not|of|on|one|only|or|our|over|she|should|since|so|some|such|than|that|the|their|them|"
    "then|there|these|they|this|those|through|to|under|until|was|we|were|what|when|where|which|while|who|whose|will|"
    r"with|would|you|your)\b"
)
_DIGITS = r"\d(?:[\d.,]*\d)?"
_NUMERAL = (
    "(?i:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    "(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-[a-z]+)?|(?:hundred|thousand|million|dozen)s?)"
)
_SMALL_LETTERS = r"a-z\u00df-\u00f6\u00f8-\u00ff\u03ac-\u03ce\u0430-\u045f"
"""Of Latin, Greek and Cyrillic."""

_CAPITAL = rf"[^\W\d_{_SMALL_LETTERS}][\w'\u2019-]*"
_ANSWER = re.compile(
    rf"""(?<![\w-])(?:
      (?P<date> \d{{1,2}}[ ]{_MONTH}(?:,?[ ]\d{{4}})? | {_MONTH}(?:[ ]\d{{1,2}})?(?:,?[ ]\d{{4}})? )
    | (?P<time> \d{{1,2}}:\d\d )
    | (?P<year> (?:1\d|20)\d\d )
    | (?P<amount> [$€£₹][ ]?{_DIGITS}(?:[ ](?:million|billion|thousand))? | {_DIGITS}[ ]?(?:%|percent\b) )
    | (?P<number> (?:{_DIGITS}(?:[ ](?:million|billion|thousand))?|{_NUMERAL}\b)
        (?:[ ]?°[CF]|[ ](?!{_SMALL_WORD})[a-z]+)? )
    | (?P<name> (?!{_SMALL_WORD}|\w\b){_CAPITAL}(?:[ ](?:(?:of|the|and|de|van|von)[ ])*{_CAPITAL})* )
    | (?P<closing> (?:(?!{_SMALL_WORD})[a-z][\w-]*[ ]?){{1,2}}(?=[.!?]?$) )
    )(?![\w-])""",
    re.VERBOSE,
)
_ASKED_WITH = {
    "date": ("when", "on what date", "when", "when"),
    "time": ("when", "at what time", "when", "at what time"),
    "year": ("when", "in what year", "when", "in which year"),
    "amount": ("how much", "how much", "what", "how much"),
    "number": ("how many", "how many", "how many", "how much"),
    "name": ("who", "what", "which", "where"),
    "closing": ("what", "what", "what", "what"),
}
"""The question words of each of the four ways of asking; the first keeps the order of the sentence."""

_CHANGE = re.compile(
    r"\b(?:now|no longer|since|today|used to|chang(?:ed|e)|instead|correct(?:ed|ion)|amended|turned out to|replaced|"
    r"succeeded|newest|latest|onwards?|anymore)\b"
)
"""Words of a sentence that replaces what was said before it."""

STEM = 5
"""Letters by which words are the same word: "commands", "command"."""

LEAST_SHARED = 0.5
"""What a sentence has to share with one that it replaces: a word that only they have, or several others. A word counts
for one over the number of sentences that have it."""

_IN_PLACE_OF_PREPOSITION = ("when", "where", "in ", "on ", "at ")
_PREPOSITION = re.compile(r"(?:^| )(?i:in|on|at|since|from|to|by|during|until|into|near)$")
_ARTICLE = re.compile(r"(?:^| )(?i:the|an?)$")
_AUXILIARY = re.compile(
    r"(.+?) (is|was|are|were|has|have|had|can|could|will|would|must|may|might|should)\b ?(.*)"
)
_BEFORE_CLAUSE = re.compile(r"[;:] |, (?=\w+ing\b|and\b|but\b|which\b|who\b)")
_AFTER_CLAUSE = re.compile(r"[;:,] | and | but ")


class _Gap(NamedTuple):
    """What is asked for, and its clause around it."""

    before: str
    answer: str
    after: str
    kind: str


def make_questions(text: str) -> dict[str, list[str]]:
    """Everything in a text that can be asked for, in the order of its sentences: answer → its questions, none twice.

    Every answer stands in the text word for word, line breaks apart. What a later sentence seems to replace ("since May
    the captain is ...") is not asked for: its questions get the later answer, where it is plain
    which. Nor is what stands in more than `MOST_MENTIONS` places.
    """
    sentences = [" ".join(text[start:end].split()) for start, end in split_sentences(text)]
    gaps = list(_without_replaced(sentences, [list(_gaps(sentence, text)) for sentence in sentences]))
    mentions = Counter(gap.answer for gap in gaps)
    made: dict[str, dict[str, None]] = {}
    for gap in gaps:
        if mentions[gap.answer] > MOST_MENTIONS:
            continue
        for way, asking in enumerate(_ASKED_WITH[gap.kind]):
            made.setdefault(gap.answer, {})[_question(gap, asking, way)] = None
    return {answer: list(questions) for answer, questions in made.items()}


def _without_replaced(sentences: Sequence[str], gaps: Sequence[Sequence[_Gap]]) -> Iterator[_Gap]:
    """The gaps of all sentences, without the answers that a later sentence which speaks of a change replaces.

    It replaces answers of the kinds that it gives itself, in the earlier sentence that shares most words with it, and
    answers the questions of that one where there is one answer for one. What it repeats of the earlier sentences is
    not asked for either.
    """
    stems = [_stems(sentence) for sentence in sentences]
    spread = Counter(chain.from_iterable(stems))
    kept = [list(own) for own in gaps]
    for later, sentence in enumerate(sentences):
        if not _CHANGE.search(sentence) or later == 0:
            continue
        told = {gap.answer for own in gaps[:later] for gap in own}
        kept[later] = [
            gap for gap in gaps[later] if gap.answer not in told and not _is_over(gap.answer, sentence)
        ]
        shared = [
            sum(1 / spread[stem] for stem in stems[earlier] & stems[later])
            + any(_is_over(gap.answer, sentence) for gap in gaps[earlier])
            for earlier in range(later)
        ]
        if max(shared) >= LEAST_SHARED:
            replaced = shared.index(max(shared))
            kept[replaced] = list(_renewed(kept[replaced], kept[later], sentence))
    return chain.from_iterable(kept)


def _renewed(old: Sequence[_Gap], new: Sequence[_Gap], sentence: str) -> Iterator[_Gap]:
    """The gaps of a sentence that a later one replaces: filled by the later answer where it is plain by which."""
    for gap in old:
        rivals = [other for other in old if other.kind == gap.kind]
        # What the later sentence says again is what both are about, but for what it says to be over.
        changed = [other for other in rivals if _is_over(other.answer, sentence)]
        changed = changed or [other for other in rivals if other.answer not in sentence] or rivals
        answers = {other.answer for other in new if other.kind == gap.kind}
        if not answers:
            yield gap
        elif changed == [gap] and len(answers) == 1:
            yield gap._replace(answer=answers.pop())


def _is_over(answer: str, sentence: str) -> bool:
    """Whether a sentence says that it "used to be" this answer; of a number with its unit, the number is enough."""
    number = answer.split()[0] if answer[0].isdigit() else answer
    return re.search(rf"used to be {re.escape(number)}\b", sentence) is not None


def _stems(sentence: str) -> set[str]:
    words = re.findall(r"\w+", sentence.lower())
    return {word[:STEM] for word in words if not re.fullmatch(_SMALL_WORD, word)}


def _gaps(sentence: str, text: str) -> Iterator[_Gap]:
    for match in _ANSWER.finditer(sentence):
        answer, kind = match[0].strip(), str(match.lastgroup)
        if kind == "name" and not _is_name(answer, text, begins=match.start() == 0):
            continue
        before = _ARTICLE.sub("", sentence[: match.start()].rstrip())
        after = sentence[match.end() :].strip(" ,;:.!?")
        words_before = _BEFORE_CLAUSE.split(before)[-1].split()[-MOST_WORDS_BEFORE:]
        words_after = _AFTER_CLAUSE.split(after)[0].split()[:MOST_WORDS_AFTER]
        if len(words_before) + len(words_after) >= FEWEST_WORDS:
            yield _Gap(" ".join(words_before), answer, " ".join(words_after), kind)


def _is_name(words: str, text: str, *, begins: bool) -> bool:
    """Whether words have their capital from being a name, and not from where they stand.

    One word that begins a sentence must have it elsewhere in the text, too.
    """
    if begins and " " not in words:
        return re.search(rf"[\w,;] {re.escape(words)}\b", text) is not None
    return words[0].isupper()


def _question(gap: _Gap, asking: str, way: int) -> str:
    before, after = gap.before, gap.after
    if asking == "how many" and " " in gap.answer:
        asking += gap.answer[gap.answer.index(" ") :]  # "how many euros"
    if way == 0:
        words = [before, asking, after]
    else:
        if asking.startswith(_IN_PLACE_OF_PREPOSITION):
            before = _PREPOSITION.sub("", before)
        if re.match(_SMALL_WORD, before):
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
