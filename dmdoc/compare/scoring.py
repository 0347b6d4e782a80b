"""How right an answer is: exact match, containment and word overlap, after SQuAD's rules (arXiv 1606.05250)."""

from collections import Counter
from collections.abc import Sequence

from dmdoc.text.words import contains, normalise_answer


def exact_match(given: str, right: str) -> bool:
    """Equality after `normalise_answer`."""
    return normalise_answer(given) == normalise_answer(right)


def gives_later(given: str, right: Sequence[str], superseded: str | None) -> bool | None:
    """Whether an answer has the later, right value and not the superseded one; None for neither, both, or no update."""
    if superseded is None:
        return None
    later = any(contains(given, value) for value in right)
    return None if later == contains(given, superseded) else later


def word_f1(given: str, right: str) -> float:
    """Harmonic mean of word precision and recall, 0 to 1, after `normalise_answer`."""
    mine, theirs = normalise_answer(given).split(), normalise_answer(right).split()
    shared = sum((Counter(mine) & Counter(theirs)).values())
    return 2 * shared / (len(mine) + len(theirs)) if shared else 0.0
