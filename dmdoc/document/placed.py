"""Words with their places on a page, and the rows that they stand in.

Knows nothing about PDF. Lengths are in the page's own unit, `size` being that of the type.
"""

from collections.abc import Sequence
from dataclasses import dataclass

GUTTER = 1.0
"""The least width of a gutter, in sizes of the type; between two rows alone, half as much more."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Word:
    """A word, or what takes the place of one."""

    text: str
    left: float
    right: float
    baseline: float
    """Upwards from the bottom of the page."""
    size: float


@dataclass(frozen=True)
class Row:
    """Words side by side, from left to right."""

    words: tuple[Word, ...]

    @property
    def baseline(self) -> float:
        return self.words[0].baseline

    @property
    def size(self) -> float:
        return max(word.size for word in self.words)

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def is_parted(self) -> bool:
        return len(self.free()) > 2

    def free(self) -> list[Interval]:
        """Where the row has no words, from left to right."""
        ends, edge = [], float("-inf")
        for word in self.words:
            if word.left - edge >= GUTTER * self.size:
                ends.append((edge, word.left))
            edge = max(edge, word.right)
        return [*ends, (edge, float("inf"))]

    def between(self, left: float, right: float) -> tuple[Word, ...]:
        return tuple(word for word in self.words if left <= (word.left + word.right) / 2 < right)


def rows_of(words: Sequence[Word]) -> list[Row]:
    """The rows from the top down: words whose baselines lie within half their size of the first one's."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (-word.baseline, word.left)):
        if rows and rows[-1][0].baseline - word.baseline < 0.5 * min(rows[-1][0].size, word.size):
            rows[-1].append(word)
        else:
            rows.append([word])
    return [Row(tuple(sorted(row, key=lambda word: word.left))) for row in rows]
