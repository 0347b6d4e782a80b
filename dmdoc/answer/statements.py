"""The statements of a document's text: its sentences and lines, each with its place, ranked for a question.

A statement is found by its own words, and by those that tell what it speaks of: the headings above it and what its
pronoun points at. Ranking is by BM25, where what means the same as a word of the question counts as that word. Knows
nothing about models or states; where sections begin it is told.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice
from math import log
from typing import NamedTuple

from dmdoc.text.around import are_headings, around
from dmdoc.text.asked import without_request
from dmdoc.text.candidates import split_statements
from dmdoc.text.cells import headings, is_row, split_cells
from dmdoc.text.labels import EVENT, fits_label
from dmdoc.text.thesaurus import is_known
from dmdoc.text.words import alike, likeness, split_words, telling_words

K1, B, LEAST = 1.2, 0.75, 1e-6
"""Of BM25, as SQLite's FTS5 has them: how soon more of a word tells no more, how much length counts, and the least that
a word tells."""

STATEMENTS = 6
"""How many statements give candidates."""

LABELLED = 3
"""How many more, behind a label that answers such questions."""

BESIDE = 32
"""How many more, of the same sections: a question may have none of the words of its answer."""

BETWEEN_PAGES = "\n\n"
"""What stands between two pages in the text of a document."""

AROUND = 0.7
"""What a word of a heading, or of what a pronoun points at, counts beside a word of the statement itself."""

NAMED = 0.75
"""What a word that is none of English, such as a name, counts beside another: it tells which document, rather."""

BEGINNING = 3
"""Statements that a document introduces its subject with."""

BEGUN = 0.3
"""What a word that stands in the beginning counts beside another: all of the text may be about that."""

_SUBJECT = re.compile(r"\W*(?:subject|re|concerning|title)\b\W*:", re.IGNORECASE)
_GREETING = re.compile(r"Dear [^\W\d]")
_CLOSING = re.compile(
    r"(?:(?:with )?(?:kind|best|warm|many)(?:est)? (?:regards|wishes|greetings)|regards|with (?:\w+ )?love|love|"
    r"yours(?: \w+)?|(?:yours )?(?:sincerely|faithfully|truly)(?: yours)?)[,.]?",
    re.IGNORECASE,
)

HEADING = 0.2
"""What a heading counts beside a statement: it names what others say."""


class Statement(NamedTuple):
    """A sentence, or a line of a list or a table."""

    section: int
    """The one that it begins in, counted from 0."""
    page: int
    """Counted from 1."""
    start: int
    """In the text of its page, in characters."""
    text: str
    rank: float = 0.0
    """Its BM25 score for a question, as a share of the best statement's; 0 where none was ranked."""
    around: str = ""
    """Words beside its own that tell what it speaks of."""
    heads: tuple[str, ...] = ()
    """The headings of its columns, if it is a row of a table that has some."""
    names: bool = False
    """It names what others say: a heading, or the first row of a table."""
    label: str = ""
    """What it would stand behind in a form: "to" of the line that greets in a letter, "from" of its signature."""
    offset: int = 0
    """Where it begins in the whole text, in characters."""


def statements(pages: Sequence[str], sections: Sequence[int]) -> list[Statement]:
    """All of a document, in order.

    Args:
        pages: their texts.
        sections: where each section begins in the whole text, in characters.
    """
    found: list[Statement] = []
    begin = 0
    for number, page in enumerate(pages, 1):
        if not page:
            continue
        for start, stop in split_statements(page):
            section = max(0, bisect_right(sections, begin + start) - 1)
            own = Statement(section, number, start, page[start:stop], offset=begin + start)
            found.append(own)
        begin += len(page) + len(BETWEEN_PAGES)
    return _with_context(found)


def _with_context(found: Sequence[Statement]) -> list[Statement]:
    """The same statements, with what stands around each."""
    texts = [each.text for each in found]
    heads = list(_heads(texts))
    return [
        each._replace(
            around=near,
            heads=own,
            names=(named and not label) or (not own and bool(below) and is_row(each.text)),
            label=label,
        )
        for each, near, own, below, named, label in zip(
            found, around(texts), heads, [*heads[1:], ()], are_headings(texts), _letter(texts), strict=False
        )
    ]


def _letter(texts: Sequence[str]) -> Iterator[str]:
    """What the parts of a letter say: whom it greets, and who signed it."""
    before = ""
    for text in texts:
        yield "to" if _GREETING.match(text) else "from" if _CLOSING.fullmatch(before) else ""
        before = text


def _heads(texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """For each statement the headings of the table that it is a row of: the first of neighbouring rows."""
    heads: tuple[str, ...] | None = None
    for text in texts:
        row = is_row(text)
        yield heads or () if row else ()
        heads = (headings(text) if heads is None else heads) if row else None


def likely_statements(question: str, written: Sequence[Statement]) -> list[Statement]:
    """Those that may answer: what ranks first, what stands behind a label that answers such questions, and the rest of
    their sections, in that order.
    """
    found = rank(written, question, STATEMENTS)
    least = EVENT if found else 1.0
    labelled = (each for each in _without(found, written) if _is_labelled(each, question, least))
    best = [*found, *islice(labelled, LABELLED)]
    sections = list(dict.fromkeys(each.section for each in best))
    beside = [each for each in _without(best, written) if each.section in sections]
    beside.sort(key=lambda each: sections.index(each.section))
    return [*best, *beside[:BESIDE]]


def _without(found: Sequence[Statement], written: Sequence[Statement]) -> list[Statement]:
    places = {(each.page, each.start) for each in found}
    return [each for each in written if (each.page, each.start) not in places]


def _is_labelled(statement: Statement, question: str, least: float) -> bool:
    names = [statement.label, *(cell.name for cell in split_cells(statement.text))]
    return any(fits_label(question, name) >= least for name in names)


def rank(found: Sequence[Statement], question: str, most: int) -> list[Statement]:
    """Those that share telling words with the question, or words like them, the best first, with their ranks."""
    asked = telling_words(without_request(question))
    known: dict[str, list[tuple[int, float]]] = {}

    def count(text: str, worth: float, counts: list[float]) -> int:
        words = split_words(text)
        for word in words:
            if word not in known:
                known[word] = [
                    (number, like) for number, each in enumerate(asked) if (like := likeness(word, each))
                ]
            for number, like in known[word]:
                counts[number] += worth * like
        return len(words)

    lengths: list[int] = []
    counted: list[list[float]] = []
    for each in found:
        counts = [0.0] * len(asked)
        length = count(each.text, 1.0, counts)
        length += count(" ".join((each.around, *each.heads)), AROUND, counts)
        lengths.append(length)
        counted.append(counts)
    # With twice as many empty ones a word that most statements have tells a little, and not nothing.
    number = 3 * len(found)
    spread = [sum(counts[word] > 0 for counts in counted) for word in range(len(asked))]
    begun = split_words(_beginning(found))
    telling = [
        max(LEAST, log((number - each + 0.5) / (each + 0.5)))
        * (1 if is_known(word) else NAMED)
        * (BEGUN if any(alike(own, word) for own in begun) else 1)
        for word, each in zip(asked, spread, strict=True)
    ]
    mean = sum(lengths) / max(1, number)
    weighed = []
    for place, (counts, length) in enumerate(zip(counted, lengths, strict=True)):
        if any(counts):
            damped = K1 * (1 - B + B * length / mean)
            score = sum(
                own * count * (K1 + 1) / (count + damped) for own, count in zip(telling, counts, strict=True)
            )
            weighed.append((score * (HEADING if found[place].names else 1), -place))
    best = sorted(weighed, reverse=True)[:most]
    return [found[-place]._replace(rank=score / best[0][0]) for score, place in best]


def _beginning(found: Sequence[Statement]) -> str:
    """What a document says first, and the subject of a letter: its other statements need not say that again."""
    subjects = (each.text for each in found[BEGINNING:] if _SUBJECT.match(each.text))
    return " ".join((*(each.text for each in found[:BEGINNING]), *subjects))
