"""What could answer a question in the words of a text: its phrases, their parts, and neighbouring ones joined.

A candidate is a run of words that begins and ends as a phrase does: a name, a number with its unit, a date, a noun
phrase with or without what stands before its head, several of them joined by "of" or "and", or a short clause that
begins with its verb. The tags are those of English; most words of other languages are taken for nouns. Knows nothing
about models or tokens.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dmdoc.text.cells import GAP, ITEM, enumerated, is_row, split_cells
from dmdoc.text.passages import cut_span
from dmdoc.text.phrases import find_phrases
from dmdoc.text.sentences import split_sentences
from dmdoc.text.tagger import Word, tag_words
from dmdoc.text.words import alike

MOST_WORDS = 12
"""Of a candidate; a clause of more is seldom what is asked for."""

LONGEST = 1_000
"""Characters of a sentence; what is longer is none, and to tag it takes time in proportion to their square."""

WRAPPED_LINE = 45
"""A line of so many characters may have been ended by the margin; a shorter one is a line by itself."""

_LINE_END = re.compile(r"\n\s*")
_CELL_END = re.compile(rf"{GAP}|\n\s*")
_LABELLED = re.compile(r"[^\W\d_][\w ./-]{0,24}:\s")
_DIMENSIONS = re.compile(r"\d[\d.,]*(?:[ ]?[x\u00d7][ ]?\d[\d.,]*)+(?:[ ][a-z]+\b)?")
_TELEPHONE = re.compile(r"(?<!\w)(?:\+\d|0\d\d|\(0\d)\d*\)?(?:[ /-]+\(?\d+\)?)+")
_NO_EDGE = {"CC", "IN", "TO", "MD", "DT", "PDT", "POS", "EX", "PRP", "PRP$", "WDT", "WP", "WP$", "WRB"}
_NOT_INSIDE = {"(", ")", ":", "WDT", "WP", "WP$", "WRB", "PRP", "MD"}
_AUXILIARY = re.compile("(?i:is|are|was|were|be|been|being|has|have|had|do|does|did|not)")
_TITLE = re.compile(
    "Captain|Chief|Colonel|Count|Doctor|Dr|General|Judge|King|Lady|Lord|Major|Miss|Mrs?|Ms|Pope|President|Prince|Princess|"
    "Prof|Professor|Queen|Saint|Sir"
)
_DEEDS = re.compile(
    r"\b(?:do|doing|done|happen\w*|wrong|why)\b|"
    r"\bhow (?:do|does|did|is|are|was|were|can|could|should|has|have|had|will|would|to)\b|"
    r"\bwhat (?:for|reason|purpose|way|pretext|condition)\b|\bfor\W*$",
    re.IGNORECASE,
)
"""What asks for an action: "What did she do?", but not "What does she hold?"."""

_ADVERBS = {"RB", "RBR", "RBS", "UH"}
_QUOTES = '"\u201c\u201d'
_PLAIN_NOUNS = {"NN", "NNS"}
_MODIFIERS = {"NN", "NNS", "JJ", "VBG", "VBN"}


class Candidate(NamedTuple):
    """Where it stands in its text, and what it says: its words with one blank wherever the text has any."""

    start: int
    end: int
    text: str


def split_statements(text: str) -> list[tuple[int, int]]:
    """The `(start, end)` of the sentences of a text, none of more than `LONGEST`; the lines of a list and the rows of a
    table each by itself.
    """
    return _split(text, _LINE_END)


def split_units(text: str) -> list[tuple[int, int]]:
    """As `split_statements`, with the cells of a table each by itself."""
    return _split(text, _CELL_END)


def _split(text: str, marks: re.Pattern[str]) -> list[tuple[int, int]]:
    found = []
    for start, end in split_sentences(text):
        begin = start
        for mark in marks.finditer(text, start, end):
            if mark[0].startswith("\n") and _goes_on(text, mark):
                continue
            found.append((begin, mark.start()))
            begin = mark.end()
        found.append((begin, end))
    return [piece for start, end in found if start < end for piece in cut_span(text, start, end, LONGEST)]


def _goes_on(text: str, end: re.Match[str]) -> bool:
    """Whether a line was ended by the margin alone."""
    line = text[text.rfind("\n", 0, end.start()) + 1 : end.start()]
    return len(line) >= WRAPPED_LINE and not is_row(line) and not _LABELLED.match(text, end.end())


def find_candidates(text: str, question: str = "") -> list[Candidate]:
    """What could answer a question in a sentence or a text, in order, nothing twice.

    What only repeats words of the question, or forms of them, is left out, and so is what begins with a verb unless the
    question asks what somebody does, or how.
    """
    asked, found = _words(question), dict[str, Candidate]()
    deeds = not question or _DEEDS.search(question) is not None
    for begin, end in split_units(text):
        mark = ITEM.match(text, begin, end)
        begin = mark.end() if mark else begin
        for start, stop in sorted(_unit_spans(text[begin:end], deeds)):
            said = " ".join(text[begin + start : begin + stop].split())
            words = _words(said)
            if words and not all(any(alike(word, each) for each in asked) for word in words):
                found.setdefault(" ".join(words), Candidate(begin + start, begin + stop, said))
    return list(found.values())


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _unit_spans(unit: str, deeds: bool) -> set[tuple[int, int]]:
    """The candidates of a sentence or a cell; of a label and its value each by itself, and the value as a whole.

    Args:
        deeds: what begins with a verb is one, too.
    """
    cells = [cell for cell in split_cells(unit) if cell.name]
    if not cells:
        return _spans(unit, deeds)
    parts = [(cell.start, cell.end) for cell in cells]
    values = [(start, start + len(unit[start:end].rstrip(" .,;"))) for start, end in parts]
    whole = {
        value
        for value in values
        if 0 < len((said := unit[slice(*value)]).split()) <= MOST_WORDS * enumerated(said)
    }
    if len(cells) == 1:
        parts.append((0, cells[0].start))
    return whole | {(a + start, a + stop) for a, b in parts for start, stop in _spans(unit[a:b], deeds)}


def _spans(sentence: str, deeds: bool) -> set[tuple[int, int]]:
    words = tag_words(sentence)
    found = {(words[first].start, words[last].end) for first, last in _runs(words, deeds)}
    for phrase in find_phrases(sentence):
        if phrase.form == "date":  # no part of "12 May 2016" either
            found = {
                (a, b)
                for a, b in found
                if b <= phrase.start or a >= phrase.end or (a <= phrase.start and phrase.end <= b)
            }
        start = sentence.find(phrase.answer, phrase.start)
        found.add((start, start + len(phrase.answer)))
        if sentence[phrase.start] not in _QUOTES:
            found.add((phrase.start, phrase.end))
    for pattern in (_DIMENSIONS, _TELEPHONE):  # no part of "120 x 60 cm", nor of "020 7946 0018"
        for size in pattern.finditer(sentence):
            found = {(a, b) for a, b in found if b <= size.start() or a >= size.end()} | {size.span()}
    return found


def _runs(words: Sequence[Word], deeds: bool) -> Iterator[tuple[int, int]]:
    """The first and the last word of each candidate, both included."""
    for first in range(len(words)):
        if not _may_begin(words, first) or (words[first].tag.startswith("VB") and not deeds):
            continue
        quotes = 0
        for last in range(first, min(len(words), first + MOST_WORDS)):
            word = words[last]
            if word.tag in _NOT_INSIDE or (last > first and word.tag.startswith("VB")):
                break
            quotes += word.text in _QUOTES
            if first == last and word.tag in _ADVERBS:
                continue
            if quotes % 2 == 0 and _may_end(words, first, last):
                yield first, last


def _may_begin(words: Sequence[Word], at: int) -> bool:
    word = words[at]
    if not _is_edge(word) and word.text not in "$€£¥":
        return False
    if at == 0:
        return True
    before = words[at - 1]
    name = before.tag.startswith("NNP") and word.tag.startswith("NNP")
    inside_name = name and not _TITLE.fullmatch(before.text)
    inside_number = before.tag == "CD" and (word.tag == "CD" or word.chunk.startswith("I"))
    return not inside_name and not inside_number


def _may_end(words: Sequence[Word], first: int, last: int) -> bool:
    """Whether a candidate may end here; one word alone need not be the head of its phrase."""
    word = words[last]
    if not _is_edge(word):
        return False
    if last + 1 == len(words):
        return True
    after = words[last + 1]
    if word.tag.startswith("NNP") and after.tag.startswith("NNP"):
        return False
    if after.tag == "CD" and (word.tag == "CD" or word.tag.startswith("NN")):
        return False
    if not after.chunk.startswith("I"):
        return True
    before_name = after.tag.startswith("NNP") and word.tag in ("NN", "NNS", "JJ")
    before_head = after.tag in _PLAIN_NOUNS and word.tag in _MODIFIERS and last > first
    return not before_name and not before_head


def _is_edge(word: Word) -> bool:
    return word.text[0].isalnum() and word.tag not in _NO_EDGE and not _AUXILIARY.fullmatch(word.text)
