"""Behind which labels a question's answer stands: "Present:" for who was there, "From:" for who sent it.

Knows nothing about where in a document the labels are.
"""

import re
from collections.abc import Iterable

_WHO = r".*\bwho(?:m|se)?\b.*\b"
_ASKED = {
    rf"{_WHO}(?:to(?=\W*$)|addressed|recei\w+|gets?|got)\b(?!.*\bcop(?:y|ied))|.*\b(?:to whom|recipient|addressee)\b": (
        "to recipient addressee"
    ),
    rf"{_WHO}cop(?:y|ied)\b": "cc copy",
    rf"{_WHO}(?:sen[dt]s?|wr[io]te\w*|written|writes)\b(?!.* to\W*$)|.*\b(?:sender|author)\b|.*\bfrom whom\b": (
        "from sender author by signed"
    ),
    rf"{_WHO}(?:present|attend\w*|there|took part|take part|came|participat\w*)\b": (
        "present attending attendance attendees participants attended"
    ),
    rf"{_WHO}(?:absent|missing|excused|apologi\w+|not (?:there|present|come))\b": "absent excused apologies regrets",
    rf"{_WHO}(?:chair\w*|presid\w*|led|leads?)\b": "chair chairman chairwoman chairperson chaired president presiding",
    rf"{_WHO}(?:[bs]ought|buy\w*|purchas\w*)\b": "buyer purchaser",
    rf"{_WHO}(?:sold|sells?|selling)\b": "seller vendor",
    rf"{_WHO}sign(?:ed|s)?\b": "signed signature",
    rf"{_WHO}(?:responsible|in charge|organis\w+|organiz\w+|contact\w*)\b": "responsible organiser organizer contact",
    r"\s*(?:(?:by|before|until) (?:when|what (?:date|day))|when)\b.*\b(?:paid|pay|due|payable|settled)\b": (
        "due payable deadline"
    ),
    r"\s*(?:(?:from|since) (?:when|what (?:date|day))\b|(?:when|on what (?:date|day))\b.*\b(?:starts?|begins?|began|"
    r"started|commences?)\b)": "beginning begins start starts from commencement since",
    r"\s*(?:(?:until|till) (?:when|what (?:date|day))\b|(?:when|on what (?:date|day))\b.*\b(?:ends?|ended|expires?|"
    r"expired|finish(?:es|ed)?|runs? out)\b)": "end ends until expiry expires finish",
    r".*\b(?:deposit|security|surety)\b": "deposit security caution bond",
    r"\s*(?:how much|what)\b.*\b(?:in all|in total|altogether|total)\b": "total sum",
}
_LABELS = {
    re.compile(pattern, re.IGNORECASE | re.DOTALL): frozenset(words.split())
    for pattern, words in _ASKED.items()
}
_EVENT = {
    re.compile(r"\s*where\b", re.IGNORECASE): frozenset(("place", "venue", "location", "address")),
    re.compile(
        r"\s*how much (?:is|are|was|were|do|does|did|must|will)\b(?!.* (?:weigh|measure|hold))", re.IGNORECASE
    ): (frozenset(("price", "cost", "amount"))),
    re.compile(r"\s*(?:when|on what (?:date|day))\b", re.IGNORECASE): frozenset(("date", "when")),
}
EVENT = 0.5
"""What a label counts that says where or when something is, or what it costs: of what, it does not say."""


def fits_label(question: str, label: str) -> float:
    """How far an answer stands behind a label, from 0 to 1."""
    words = re.findall(r"\w+", label.lower())
    if not 0 < len(words) <= 3:
        return 0.0
    return max((worth for own, worth in _worths(question) if own.intersection(words)), default=0.0)


def _worths(question: str) -> Iterable[tuple[frozenset[str], float]]:
    for patterns, worth in ((_LABELS, 1.0), (_EVENT, EVENT)):
        found = next((own for pattern, own in patterns.items() if pattern.match(question)), None)
        if found is not None:
            yield found, worth
