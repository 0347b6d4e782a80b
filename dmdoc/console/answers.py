"""What is said about an answer beside it: what it was made from, how far to trust it, where the text speaks of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dmdoc.text.counting import counted

if TYPE_CHECKING:
    from dmdoc.answer.evidence import Passage
    from dmdoc.answer.recall import Recalled
    from dmdoc.library.saved_document import SavedDocument
    from dmdoc.memory.judges import Judgement


def verdict(
    recalled: "Recalled",
    judgement: "Judgement | None",
    found: Sequence["Passage"],
    saved: "SavedDocument",
    among: int = 1,
) -> str:
    """In one line: which document answered, on which page, and how far to trust it.

    Args:
        found: the passages that are cited.
        among: how many documents this one was chosen from.
    """
    where = f"{saved.name}{_page(recalled, found, saved)}"
    if recalled.mode == "frozen":
        return origin(recalled)
    if recalled.mode == "full" or (recalled.mode == "evidence" and judgement is None):
        return f"{where}: {origin(recalled)}"
    shown = f" ({_shown(recalled)})" if recalled.evidence else ""
    if judgement is not None and judgement.verdict == "not in the document" and among > 1:
        return f"none of the {among:,} documents says so; the nearest is {where}{shown}"
    if among > 1:
        where = f"{saved.name} (of {among:,} documents){_page(recalled, found, saved)}"
    return where if judgement is None else f"{where}: {judgement.verdict}{shown}"


def _page(recalled: "Recalled", found: Sequence["Passage"], saved: "SavedDocument") -> str:
    """ ", page 2", or "" where there is one page alone."""
    pages = {passage.page for passage in found[:1] if passage.verbatim}
    if not pages and recalled.answer.section is not None:
        _, first, last = saved.header().sections[recalled.answer.section]
        pages = {first, last}
    if not pages or saved.page_count == 1:
        return ""
    first, last = min(pages), max(pages)
    return f", page {first}" if first == last else f", pages {first} to {last}"


def advice(recalled: "Recalled", judgement: "Judgement | None", found: Sequence["Passage"]) -> str:
    """What an answer leaves open, or would help most with a doubtful one; "" where there is nothing to say."""
    if told := left_open(recalled):
        return told
    if judgement is None or judgement.verdict != "doubtful":
        return ""
    if recalled.mode == "state":
        return "--recall spans picks the answer from the words of the text: it is right more often"
    if recalled.mode == "spans":
        return "--evidence shows the model the best passages of the text: it is right more often"
    return "read the passage below before you believe it" if found else ""


def left_open(recalled: "Recalled") -> str:
    """What was asked for and is not in an answer; "" where there is nothing."""
    choice = recalled.choice
    if choice is None:
        return ""
    if choice.missing == "reason":
        return "no sentence gives a reason in so many words; this one speaks of it"
    if choice.missing == "number":
        return "dmdoc finds no number for it and nothing that it could count"
    if choice.quoted.number is not None:
        return f"counted: {counted(len(choice.quoted.sentences), 'line')} of the text, below"
    if choice.quoted.rows:
        return f"compared: {counted(choice.quoted.rows, 'row')} of a table, of which this is the one"
    if choice.quoted.more:
        return f"{counted(choice.quoted.more, 'more sentence')} of the text share words with the question"
    return ""


def origin(recalled: "Recalled") -> str:
    """What an answer was made from, in one line."""
    if recalled.mode == "frozen":
        return "answered without the document"
    if recalled.mode == "full":
        return (
            f"answered from the whole text: {recalled.document_tokens:,} tokens of it in the prompt, no state"
        )
    if recalled.choice is not None:
        return _choice(recalled)
    if recalled.mode == "state":
        return "answered from the state alone"
    if not recalled.evidence:
        return "answered from the state alone: no passage shares a word with the question"
    return f"answered from the state and {_shown(recalled)}"


def _shown(recalled: "Recalled") -> str:
    """What of the text stood in the prompt."""
    pages = sorted({passage.page for passage in recalled.evidence})
    return (
        f"{counted(len(recalled.evidence), 'passage')} of page{'s' if len(pages) > 1 else ''} "
        f"{', '.join(map(str, pages))}: {recalled.document_tokens:,} tokens of the document in the prompt"
    )


def measured(recalled: "Recalled", judgement: "Judgement | None") -> str:
    """The numbers behind a verdict, in one line; "" where there are none."""
    told = []
    if judgement is not None:
        told.append(f"right with a probability of {judgement.probability:.2f}")
        told.append(f"answered by the document with one of {judgement.answerable:.2f}")
    if (support := recalled.support) is not None:
        told.append(f"lift {support.lift:+.2f}, likelihood {support.log_likelihood:+.2f} nats a token")
    return "; ".join(told)


def _choice(recalled: "Recalled") -> str:
    choice = recalled.choice
    assert choice is not None
    if choice.quoted.number is not None:
        return f"counted in the text: {counted(len(choice.quoted.sentences), 'line')} that a question's words chose"
    if choice.quoted.rows:
        return f"read from a table: {counted(choice.quoted.rows, 'row')} compared by a column that the question names"
    if choice.quoted.sentences:
        sentences = counted(len(choice.quoted.sentences), "sentence")
        return f"{sentences} of the text, found by words: no phrase answers such a question"
    if choice.span is None:
        return "answered from the state in its own words: the text of the section has no phrase that could answer"
    chosen = f"chosen from {counted(choice.candidates, 'phrase')} of the text, each read as an answer"
    if recalled.evidence:
        return f"{chosen}, behind {_shown(recalled)}"
    return f"{chosen}: {counted(choice.document_tokens, 'token')} of the document, none of them before the question"


def citations(found: Sequence["Passage"]) -> list[str]:
    """A line for each passage: its page, whether the answer stands in it, its text; around a chosen answer « »."""
    marks = {True: " (word for word)", False: ""}
    return [f"page {each.page}{marks[each.verbatim]}: {' '.join(_marked(each).split())}" for each in found]


def _marked(passage: "Passage") -> str:
    if passage.mark is None:
        return passage.text
    start, end = passage.mark
    return f"{passage.text[:start]}«{passage.text[start:end]}»{passage.text[end:]}"
