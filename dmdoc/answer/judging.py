"""What is to be thought of an answer: a verdict and a probability, from its signals.

The weights are those that `dmdoc calibrate` measured for the adapter and the recall mode; for others there is no
verdict. Knows nothing about how an answer was made.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict

from dmdoc.answer.recall import Recalled
from dmdoc.answer.signals import signals
from dmdoc.errors import UnsupportedError, UsageError
from dmdoc.memory.judges import Judgement
from dmdoc.memory.state import MemoryState
from dmdoc.model.prompt import RecallMode
from dmdoc.model.reader import Reader


def judge(
    question: str | None,
    recalled: Recalled,
    state: MemoryState,
    pages: Callable[[], Sequence[str]],
    reader: Reader,
) -> Judgement | None:
    """What is to be thought of an answer; None where there is no question, or nobody has measured such answers.

    Of whole sentences it is whether the document answers the question at all: nobody has measured more.

    Args:
        state: of the document, a section a row.
        pages: the document's text; called only where there is a verdict. The model sees none of it.
    """
    known = reader.judges.get(recalled.mode)
    if known is None or question is None or recalled.support is None:
        return None
    found = asdict(signals(question, recalled, state, pages(), reader))
    quoted = recalled.choice is not None and bool(recalled.choice.quoted)
    return known.judge_sentences(found) if quoted else known.judge(found)


def check_that_answers_are_judged(mode: RecallMode, reader: Reader) -> None:
    """
    Raises:
        UsageError: answers of this mode, or of this adapter, have no verdict.
    """
    if mode not in ("state", "spans"):
        raise UsageError(
            f"only answers from the state are judged, not those from {mode}; leave out one of them"
        )
    if mode not in reader.judges:
        raise UsageError(
            f"nobody has measured which answers of {reader.adapter_identity.name} are right; ask without strictness, "
            "or calibrate the adapter"
        )


def check_judgement(judgement: Judgement | None, name: str, among: int) -> None:
    """
    Args:
        name: of the document that was asked, out of `among`.

    Raises:
        UnsupportedError: the answer is neither sure nor likely, or nobody has measured such answers.
    """
    if judgement is None:
        raise UnsupportedError("nobody has measured how far such an answer can be trusted")
    if judgement.verdict == "not in the document":
        raise UnsupportedError(
            f"none of the {among:,} documents says so" if among > 1 else f"{name} does not say so"
        )
    if not judgement.holds:
        raise UnsupportedError(
            f"the answer from {name} is doubtful: {judgement.probability:.0%} likely to be right"
        )
