"""Which of two answers was preferred, turn by turn: that from the state, or that of the frozen backbone.

They are labelled a and b in an order drawn with a fixed seed, so that an answer is judged and not its origin. Knows
nothing about how answers are made or shown.
"""

import random
from dataclasses import dataclass, replace

from dmdoc.errors import UsageError
from dmdoc.model.prompt import RecallMode

LABELS = ("a", "b")

PAIR: tuple[RecallMode, RecallMode] = ("state", "frozen")

_NAMES: dict[RecallMode | None, str] = {"state": "state", "frozen": "frozen", None: "not judged"}


@dataclass(frozen=True)
class JudgedTurn:
    """A question that was answered twice."""

    question: str
    order: tuple[RecallMode, RecallMode]
    """Where a and b came from."""
    preferred: RecallMode | None = None


class Preferences:
    """What has been judged in a session. The same seed gives the same order of a and b in every turn."""

    def __init__(self, seed: int = 0) -> None:
        self._generator = random.Random(seed)
        self.turns: tuple[JudgedTurn, ...] = ()

    def draw_order(self) -> tuple[RecallMode, RecallMode]:
        """Where the next a and b are to come from."""
        first, second = self._generator.sample(PAIR, 2)
        return first, second

    def add(self, question: str, order: tuple[RecallMode, RecallMode]) -> None:
        self.turns = (*self.turns, JudgedTurn(question, order))

    def prefer(self, label: str) -> RecallMode:
        """Keep which answer of the last turn is the better one, and tell where it came from. The last word counts.

        Raises:
            UsageError: it is neither a nor b, or there is no turn to judge.
        """
        if label not in LABELS:
            raise UsageError(f"/prefer takes a or b, got {label!r}")
        if not self.turns:
            raise UsageError("there are no two answers to choose from; /ab on gives two to every question")
        *before, last = self.turns
        preferred = last.order[LABELS.index(label)]
        self.turns = (*before, replace(last, preferred=preferred))
        return preferred

    def report(self) -> str:
        """How often which was preferred, and in which turns; "" where nothing was compared."""
        if not self.turns:
            return ""
        votes = [turn.preferred for turn in self.turns]
        counts = ", ".join(f"{name} {votes.count(mode)}" for mode, name in _NAMES.items())
        lines = [f"  {_NAMES[turn.preferred]:10}  {' '.join(turn.question.split())}" for turn in self.turns]
        noun = "question" if len(lines) == 1 else "questions"
        return "\n".join([f"{len(lines)} {noun} answered twice; preferred: {counts}", *lines])
