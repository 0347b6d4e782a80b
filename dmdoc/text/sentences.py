"""Where the sentences of a text are: a small rule, no model, two short word lists.

Knows nothing about tokens or documents.

A sentence ends
  - at a blank line, and before a line that begins a list item;
  - after `.`, `!`, `?` or `…` (and closing quotes or brackets) when blank space follows and then a capital, a
    digit, or a letter of a script without capitals, with or without an opening quote or bracket;
  - after a Chinese or Japanese full stop, exclamation or question mark, which no space follows.
A full stop does not end one after a title or Latin abbreviation (`Mr.`, `e.g.`), after an abbreviation that
counts something when a digit follows (`No. 7`, `Oct. 3`), after an initial (`J. Ostrem`, `U.S.`) but before a word
that begins sentences and no names, or after a number that labels a line (`2. Results`). Dots after a blank lead from a
label to its value (`owner .... Lund`). Decimals need no rule: no
space follows their point. So `etc. The` and `plan B. The` end a sentence, and `plan B. Dogs`, wrongly, does not.
"""

import re

_BOUNDARY = re.compile(
    r"""
      \n\s*\n
    | \n (?= [ \t]* (?: [-*•‣] | \d{1,3}[.)] ) [ ] )
    | (?<! [.!?…] ) (?P<stop> [.!?…]+ ["'\u201d\u2019)\]]* ) (?= \s+ ["'\u201c\u2018(\[]* (?P<next> \w+ ) )
    | [。\uff01\uff1f]+ ["\u201d」』\uff09]*
    """,
    re.VERBOSE,
)
_BEFORE = 16
"""Characters looked at before a full stop: more than the longest abbreviation."""

_WORD_BEFORE = re.compile(r"(?:^|(?<=[\s(\[\"'\u201c\u2018-]))([\w.]+)$")
_LABEL_BEFORE = re.compile(r"(?:^|\n)[ \t]*\d{1,3}$")
_INITIALS = re.compile(r"[^\W\d_](?:\.[^\W\d_])*")
_TITLES = re.compile(
    "mr|mrs|ms|dr|prof|st|rev|hon|gen|col|capt|lt|sgt|sen|rep|gov|messrs|mme|vs|cf|ca|approx", re.IGNORECASE
)
_BEGINNING = re.compile(
    "The|In|On|At|It|Its|He|His|She|Her|They|Their|This|These|That|There|But|And|We|For|From|By|As|When|If"
)
"""Words that begin sentences and no names; "A" may be one more initial."""

_COUNTED = re.compile(
    "nos?|nr|figs?|eqs?|sec|ch|art|vols?|pp?|al|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec", re.IGNORECASE
)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """The `(start, end)` character spans of the sentences, in order, without the blank space around them.

    Every character that is not blank space is in exactly one span.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        if match["stop"] and not _ends_sentence(text, match.start(), match["stop"], match["next"]):
            continue
        _append_trimmed(spans, text, start, match.end())
        start = match.end()
    _append_trimmed(spans, text, start, len(text))
    return spans


def _ends_sentence(text: str, position: int, stop: str, following: str) -> bool:
    """Whether the `stop` at `position`, with the word `following` after the blank, ends a sentence."""
    first = following[0]
    if not (first.isupper() or first.isdigit() or _has_no_case(first)):
        return False
    if stop.startswith("..") and text[position - 1 : position].isspace():
        return False  # dots that lead from a label to its value
    if stop[0] != "." or stop.startswith(".."):
        return True
    before = text[max(0, position - _BEFORE) : position]
    if _LABEL_BEFORE.search(before):
        return False
    found = _WORD_BEFORE.search(before)
    if found is None:
        return True
    word = found[1]
    if _INITIALS.fullmatch(word):
        return _BEGINNING.fullmatch(following) is not None
    if _TITLES.fullmatch(word):
        return False
    return not (first.isdigit() and _COUNTED.fullmatch(word))


def _has_no_case(character: str) -> bool:
    """True for letters of scripts without capitals, which may begin a sentence as they are."""
    return character.isalpha() and character.lower() == character.upper()


def _append_trimmed(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        spans.append((start, end))
