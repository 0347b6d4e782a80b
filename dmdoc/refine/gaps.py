"""Sentences with a gap where an answer stood, and which of them hold: a later sentence may replace an earlier answer.

"The captain is Ida Roe. Since May the captain is Otto Lund.": who the captain is has one answer, and it is the later
one. And of which ship? The sentences before it may tell: what they speak of are the topics of a gap. Knows nothing
about models, tokens or how a gap becomes a question.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import NamedTuple

from dmdoc.text.phrases import SMALL_WORD, Phrase, find_phrases
from dmdoc.text.sentences import split_sentences

FEWEST_WORDS = 2
"""Words that a gap has to have around it."""

MOST_WORDS_BEFORE, MOST_WORDS_AFTER = 12, 6
"""Words that it has at most before and after it: people ask short questions of long sentences."""

MOST_MENTIONS = 2
"""Of an answer: what is told of more often is what the text is about; practised, it would answer everything."""

TOPICS = 2
"""Of a gap, at most."""

TOPIC_SENTENCES = 2
"""Sentences before it that are looked at for its topics; further back only for one that names nothing itself."""

STEM = 5
"""Letters by which words are the same word: "commands", "command"."""

LEAST_SHARED = 0.5
"""What a sentence has to share with one that it replaces: a word that only they have, or several others. A word counts
for one over the number of sentences that have it."""

_CHANGE = re.compile(
    r"\b(?:now|no longer|since|today|used to|chang(?:ed|e)|instead|correct(?:ed|ion)|amended|revised|updated|renamed|"
    r"rescheduled|postponed|relocated|turned out to|replaced|succeeded|newest|latest|later reports|onwards?|anymore)\b",
    re.IGNORECASE,
)
"""Words of a sentence that replaces what was said before it."""

_ARTICLE = re.compile(r"(?:^| )(?i:the|an?)$")
_BEFORE_CLAUSE = re.compile(r"[;:] |, (?=\w+ing\b|and\b|but\b|which\b|who\b|while\b)")
_AFTER_CLAUSE = re.compile(r"[;:,] | and | but ")

_FAMILIES = ({"measure", "count", "label", "number", "amount"}, {"thing", "quality", "modifier"})
"""Forms that replace one another: "he counted 22 seals", "today there are 30"."""


class Gap(NamedTuple):
    """What is asked for, its clause around it, and the sentence that says it."""

    before: str
    phrase: Phrase
    after: str
    sentence: str
    topics: tuple[str, ...]
    """What the sentences before it speak of that it does not name itself: nearest first, names before things."""

    @property
    def answer(self) -> str:
        return self.phrase.answer


def find_gaps(text: str) -> list[Gap]:
    """What a text can be asked for, sentence by sentence; not what stands in more than `MOST_MENTIONS` places.

    Every answer stands in the text word for word, line breaks apart. What a later sentence seems to replace ("since May
    the captain is ...") is not asked for: its gap gets the later answer, where it is plain which.
    """
    spans = split_sentences(text)
    sentences = [" ".join(text[start:end].split()) for start, end in spans]
    phrases = [find_phrases(sentence) for sentence in sentences]
    # A new paragraph speaks of something new: a blank line begins one.
    begins = {n for n in range(1, len(spans)) if text[spans[n - 1][1] : spans[n][0]].count("\n") > 1}
    paragraph = list(accumulate(n in begins for n in range(len(spans))))
    made = [
        list(_gaps(sentences[number], phrases[number], _topics(number, sentences, phrases, paragraph)))
        for number in range(len(sentences))
    ]
    gaps = list(_without_replaced(sentences, made))
    mentions = Counter(gap.answer for gap in gaps)
    return [gap for gap in gaps if mentions[gap.answer] <= MOST_MENTIONS]


def _gaps(sentence: str, phrases: Sequence[Phrase], topics: tuple[str, ...]) -> Iterator[Gap]:
    for phrase in phrases:
        before = _ARTICLE.sub("", sentence[: phrase.start].rstrip())
        words_before = _BEFORE_CLAUSE.split(before)[-1].split()[-MOST_WORDS_BEFORE:]
        # A comma ends the clause, unless nothing stands before it: "Ida Roe, a baker, built the mill."
        ends = " .!?" if len(words_before) >= FEWEST_WORDS else " ,;:.!?"
        after = sentence[phrase.end :].rstrip(" ,;:.!?").lstrip(ends)
        words_after = _AFTER_CLAUSE.split(after)[0].split()[:MOST_WORDS_AFTER]
        if len(words_before) + len(words_after) >= FEWEST_WORDS:
            yield Gap(" ".join(words_before), phrase, " ".join(words_after), sentence, topics)


def _topics(
    number: int, sentences: Sequence[str], phrases: Sequence[Sequence[Phrase]], paragraph: Sequence[int]
) -> tuple[str, ...]:
    """Of sentence `number`, from those before it in its paragraph; `paragraph` is the one of each sentence."""
    found: dict[str, None] = {}
    is_named = any(phrase.form == "name" for phrase in phrases[number])
    for earlier in range(number - 1, paragraph.index(paragraph[number]) - 1, -1):
        if number - earlier > TOPIC_SENTENCES and (found or is_named):
            break
        spoken = [phrase for phrase in phrases[earlier] if phrase.form in ("name", "thing")]
        spoken.sort(key=lambda phrase: phrase.form != "name")
        found |= dict.fromkeys(phrase.answer for phrase in spoken if phrase.answer not in sentences[number])
    return tuple(found)[:TOPICS]


def _without_replaced(sentences: Sequence[str], gaps: Sequence[Sequence[Gap]]) -> Iterator[Gap]:
    """The gaps of all sentences, without the answers that a later sentence which speaks of a change replaces.

    It replaces answers of the kinds that it gives itself, in the earlier sentence that shares most words with it and
    speaks of no change, and answers the questions of that one where there is one answer for one. What it repeats of
    the earlier sentences is not asked for either.
    """
    stems = [_stems(sentence) for sentence in sentences]
    spread = Counter(chain.from_iterable(stems))
    changes = [_CHANGE.search(sentence) is not None for sentence in sentences]
    kept = [list(own) for own in gaps]
    for later, sentence in enumerate(sentences):
        if not changes[later] or all(changes[:later]):
            continue
        told = {gap.answer for own in gaps[:later] for gap in own}
        kept[later] = [
            gap for gap in gaps[later] if gap.answer not in told and not _is_over(gap.answer, sentence)
        ]
        shared = [
            0.0
            if changes[earlier]
            else sum(1 / spread[stem] for stem in stems[earlier] & stems[later])
            + any(_is_over(gap.answer, sentence) for gap in gaps[earlier])
            for earlier in range(later)
        ]
        if max(shared) >= LEAST_SHARED:
            replaced = shared.index(max(shared))
            kept[replaced] = list(_renewed(kept[replaced], kept[later], sentence))
    return chain.from_iterable(kept)


def _renewed(old: Sequence[Gap], new: Sequence[Gap], sentence: str) -> Iterator[Gap]:
    """The gaps of a sentence that a later one replaces: filled by the later answer where it is plain by which."""
    for gap in old:
        rivals = [other for other in old if _alike(other, gap)]
        # What the later sentence says again is what both are about, but for what it says to be over.
        changed = [other for other in rivals if _is_over(other.answer, sentence)]
        changed = changed or [other for other in rivals if other.answer not in sentence] or rivals
        renewed = {other.answer: other for other in new if _alike(other, gap)}
        if not renewed:
            yield gap
        elif changed == [gap] and len(renewed) == 1:
            ((answer, later),) = renewed.items()
            yield gap._replace(phrase=gap.phrase._replace(answer=answer), sentence=later.sentence)


def _alike(one: Gap, other: Gap) -> bool:
    """Whether both are numbers, or names, or things ..."""
    forms = {one.phrase.form, other.phrase.form}
    return len(forms) == 1 or any(forms <= family for family in _FAMILIES)


def _is_over(answer: str, sentence: str) -> bool:
    """Whether a sentence says that it "used to be" this answer; of a number with its unit, the number is enough."""
    number = answer.split()[0] if answer[0].isdigit() else answer
    return re.search(rf"used to be {re.escape(number)}\b", sentence) is not None


def _stems(sentence: str) -> set[str]:
    words = re.findall(r"\w+", sentence.lower())
    return {word[:STEM] for word in words if not re.fullmatch(SMALL_WORD, word)}
