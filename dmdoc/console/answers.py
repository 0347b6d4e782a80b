"""What is said about an answer beside it: what it was made from, how far to trust it, where the text speaks of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dmdoc.text.counting import counted

if TYPE_CHECKING:
    from dmdoc.answer.evidence import Passage
    from dmdoc.answer.recall import Recalled
    from dmdoc.answer.spans import Choice
    from dmdoc.library.saved_document import SavedDocument


def placed(recalled: "Recalled", found: Sequence["Passage"], saved: "SavedDocument", among: int) -> str:
    """As `origin`, behind the document that answered and its page, or the pages of the section that did."""
    if recalled.way == "frozen":
        return origin(recalled)
    pages = {passage.page for passage in found[:1] if passage.verbatim}
    if not pages and recalled.answer.section is not None:
        _, first, last = saved.header().sections[recalled.answer.section]
        pages = {first, last}
    where = saved.name
    if pages and saved.page_count > 1:
        where += f", {_pages(sorted(pages))}"
    if among > 1:
        where += f" (of {among:,} documents)"
    return f"{where}: {origin(recalled)}"


def _pages(pages: Sequence[int]) -> str:
    return f"page {pages[0]}" if len(pages) == 1 else f"pages {pages[0]} to {pages[-1]}"


def origin(recalled: "Recalled") -> str:
    """What an answer was made from, in one line, and how much the state had to do with it."""
    if recalled.way == "frozen":
        return "answered without the document"
    if recalled.way == "full":
        return (
            f"answered from the whole text: {recalled.document_tokens:,} tokens of it in the prompt, no state"
        )
    assert recalled.support is not None  # both other ways have a state
    lift, likelihood = recalled.support.lift, recalled.support.log_likelihood
    measured = f"lift {lift:+.2f}, likelihood {likelihood:+.2f} nats a token"
    if recalled.way == "state":
        verdicts = {True: ": supported by the state", False: ": not supported by the state", None: ""}
        return measured + verdicts[recalled.supported]
    if recalled.choice is not None:
        return f"{_choice(recalled.choice)}; {measured}"
    if not recalled.evidence:
        return f"answered from the state alone: no passage shares a word with the question; {measured}"
    count, pages = len(recalled.evidence), sorted({passage.page for passage in recalled.evidence})
    return (
        f"answered from the state and {count} passage{'s' if count > 1 else ''} "
        f"of page{'s' if len(pages) > 1 else ''} {', '.join(map(str, pages))}: "
        f"{recalled.document_tokens:,} tokens of the document in the prompt; {measured}"
    )


def _choice(choice: "Choice") -> str:
    if choice.quoted:
        sentences = counted(len(choice.quoted), "sentence")
        return f"{sentences} of the text, found by words: no phrase answers such a question"
    if choice.span is None:
        return "answered from the state in its own words: the text of the section has no phrase that could answer"
    return (
        f"chosen from {counted(choice.candidates, 'phrase')} of the text, each read as an answer: "
        f"{counted(choice.document_tokens, 'token')} of the document, none of them before the question"
    )


def citations(found: Sequence["Passage"]) -> list[str]:
    """A line for each passage: its page, whether the answer stands in it, its text; around a chosen answer « »."""
    marks = {True: " (word for word)", False: ""}
    return [f"page {each.page}{marks[each.verbatim]}: {' '.join(_marked(each).split())}" for each in found]


def _marked(passage: "Passage") -> str:
    if passage.mark is None:
        return passage.text
    start, end = passage.mark
    return f"{passage.text[:start]}«{passage.text[start:end]}»{passage.text[end:]}"
