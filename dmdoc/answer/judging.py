"""What is to be thought of an answer: a verdict and a probability, from its signals.

The weights are those that `dmdoc calibrate` measured for the adapter and the recall mode; for others there is no
verdict. Knows nothing about how an answer was made.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict

from dmdoc.answer.recall import Recalled
from dmdoc.answer.signals import is_beside, signals
from dmdoc.answer.spans import Choice
from dmdoc.errors import AdapterError, UnsupportedError, UsageError
from dmdoc.memory.judges import JUDGES_FILE, Judgement, Verdict
from dmdoc.memory.state import MemoryState
from dmdoc.model.prompt import RecallMode
from dmdoc.model.reader import Reader
from dmdoc.text.asked import is_of_strangers
from dmdoc.text.opposites import mentions


def judge(
    question: str | None,
    recalled: Recalled,
    state: MemoryState,
    pages: Callable[[], Sequence[str]],
    reader: Reader,
    name: str = "",
) -> Judgement | None:
    """What is to be thought of an answer; None where there is no question, or nobody has measured such answers.

    Of whole sentences it is whether the document answers the question at all: nobody has measured more.

    Args:
        state: of the document, a section a row.
        pages: the document's text; called only where there is a verdict. The model sees none of it.
        name: of the document, by which a question may call it.

    Raises:
        AdapterError: the judge looks at a signal that is not measured here.
    """
    known = reader.judges.get(recalled.mode)
    if known is None or question is None or recalled.answer.section is None:
        return None
    if recalled.mode == "evidence" and recalled.choice is None:  # in its own words: that was not measured
        return None
    text = pages()
    found = asdict(signals(question, recalled, state, text, reader, name))
    if unknown := sorted(known.heard - found.keys()):
        raise AdapterError(
            f"the verdicts of {reader.adapter_identity.name} look at {unknown[0]!r}, "
            f"which this dmdoc does not measure; remove {JUDGES_FILE} from its folder, or calibrate it again"
        )
    choice = recalled.choice
    quoted = choice is not None and bool(choice.quoted.sentences)
    judgement = known.judge_sentences(found) if quoted else known.judge(found)
    best = best_verdict(question, choice, text, name)
    return judgement if best is None else judgement.lowered(best, known.likely)


def best_verdict(
    question: str, choice: Choice | None, pages: Sequence[str], name: str = ""
) -> Verdict | None:
    """The best that an answer can be called, whatever its signals are; None where nothing speaks against it."""
    if is_of_strangers(question, (name, *pages)):
        return "not in the document"
    span = None if choice is None else choice.span
    if span is not None and span.measures.opposed:
        return "doubtful" if mentions(question, "\n".join((name, *pages))) else "not in the document"
    if choice is not None and (
        choice.missing or choice.quoted.number == 1
    ):  # one line alone need not be a list
        return "doubtful"
    if span is not None and is_beside(question, span, pages, name):
        return "doubtful"
    return None


def check_that_answers_are_judged(mode: RecallMode, reader: Reader) -> None:
    """
    Raises:
        UsageError: answers of this mode, or of this adapter, have no verdict.
    """
    if mode not in ("state", "spans", "evidence"):
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
