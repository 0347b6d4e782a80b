"""What one question answered in one mode gave, and what the modes are.

What `donor` gets right was not recalled from the document, and `full` is what the backbone could do with the text
before its eyes. What `swap` gives of the values before their exchange was guessed by the kind of value.
What `unread` and `first` get right of `spans` comes from the choice of sentences and from
the question alone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from dmdoc.errors import UsageError
from dmdoc.text.counting import counted

Mode = Literal["state", "zero", "donor", "swap", "frozen", "full", "evidence", "spans", "unread", "first"]
MODES: tuple[Mode, ...] = get_args(Mode)

MEANINGS: dict[Mode, str] = {
    "state": "the document's own state",
    "zero": "the adapter with an empty state",
    "donor": "another document's state",
    "swap": "the state of the same document with values exchanged in pairs, which are right then",
    "frozen": "the backbone without the adapter",
    "full": "the backbone with the whole document in its prompt",
    "evidence": "the document's own state, and a few passages of its text in the prompt",
    "spans": "the phrase of the text that the document's own state makes likeliest",
    "unread": "the same under an empty state",
    "first": "the first phrase of the sentence that ranks first for the question; no model",
}


@dataclass(frozen=True)
class Result:
    """One question answered in one mode."""

    document: str
    mode: Mode
    question: str
    answers: tuple[str, ...]
    """The right ones."""
    given: str
    position: float | None
    """Where in the document the answer stands, from 0 to 1; None where that is not known."""
    exact: bool
    """Equal to a right answer but for case, articles and punctuation."""
    contains: bool
    """Contains a right answer, likewise."""
    later: bool | None
    """Of an updated or exchanged value: whether the later one was given, not the earlier; None for neither or both."""
    f1: float
    """Word overlap with the best right answer, 0 to 1 (SQuAD's measure)."""
    log_likelihood: float
    """Of the first right answer after the prompt: its mean log-probability, in nats a token; 0 is certain."""
    lift: float | None
    """How much likelier the state made the given answer than an empty one (support.py); None without a state."""
    prompt_tokens: int
    prompt_document_tokens: int
    """Of those, tokens of the document."""
    document_tokens: int
    """Of the whole document."""
    first_token_seconds: float | None
    seconds: float | None
    """Of the whole answer. Both are None where several questions were asked at once."""
    kept_bytes: int
    """What is kept of the document between two questions: its state, the key-value cache of its text, or for
    evidence its state and its text."""
    probability: float | None = None
    """That the answer is right, by the adapter's judge, from 0 to 1; None where nobody judges such answers."""


@dataclass(frozen=True)
class Skipped:
    """A document that could not be asked in one mode."""

    document: str
    mode: Mode
    reason: str


def check_modes(names: Sequence[str]) -> tuple[Mode, ...]:
    """The modes of these names, in the order of MODES.

    Raises:
        UsageError: there is no such mode.
    """
    for name in names:
        if name not in MODES:
            raise UsageError(f"there is no mode {name!r}; the modes are {', '.join(MODES)}")
    return tuple(mode for mode in MODES if mode in names)


def describe_skipped(skipped: Sequence[Skipped]) -> list[str]:
    """A line for each mode: how many documents could not be asked in it, and why the first one could not."""
    first: dict[Mode, Skipped] = {}
    for item in skipped:
        first.setdefault(item.mode, item)
    counts = Counter(item.mode for item in skipped)
    return [
        f"{mode}: {counted(counts[mode], 'document')} skipped; {item.document}: {item.reason}"
        for mode, item in first.items()
    ]
