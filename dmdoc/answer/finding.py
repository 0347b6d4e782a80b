"""Which of several saved documents a question is about: by the words of their texts, and by their states where no text
has any of its words. No text goes into a prompt for that.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from dmdoc.answer.ask import load_state
from dmdoc.answer.routing import matches
from dmdoc.errors import DmdocError, DocumentNotFoundError
from dmdoc.library.library import Library
from dmdoc.library.passages import Found
from dmdoc.library.saved_document import SavedDocument
from dmdoc.model.reader import Reader
from dmdoc.text.asked import form_asked, naming_words

By = Literal["given", "words", "states"]
"""How a document was found: there was no other to choose, or by what."""

MOST_STATES = 32
"""Documents whose states are looked at where no text has a word of the question."""


@dataclass(frozen=True)
class Finding:
    """The document that a question is asked of."""

    document: SavedDocument
    by: By
    among: int
    """Of so many documents."""


def find_document(
    question: str,
    library: Library,
    names: Sequence[str] | None,
    open_reader: Callable[[SavedDocument], Reader],
) -> Finding:
    """The one of the named documents whose best passage shares the most telling words with the question.

    Args:
        names: None is all that are saved; they are listed only where words do not find one.

    Raises:
        DocumentNotFoundError: there is none of them (any more).
        DmdocError: no text has a word of the question, and no state can be used either.
    """
    if names is None:
        with suppress(DmdocError):  # a folder that was damaged by hand: the others are asked all the same
            document, among = find_by_words(question, library)
            if document is not None and among > 1:
                return Finding(document, "words", among)
        names = library.names() or [library.current().name]
    if len(names) == 1:
        return Finding(library.get(names[0]), "given", 1)
    for found in _search_whole(question, library, names) or library.passages.search(question, names, most=1):
        return Finding(library.get(found.document), "words", len(names))
    return Finding(_by_states(question, library, names, open_reader), "states", len(names))


def find_by_words(question: str, library: Library) -> tuple[SavedDocument | None, int]:
    """The one of all saved documents that the words find, if one has any of them, and how many there are.

    Raises:
        DmdocError: it cannot be read.
    """
    whole = None
    if form_asked(question) == "summary":
        whole, _ = library.passages.find(naming_words(question), whole=True)
    best, among = library.passages.find(question)
    found = whole or best
    return None if found is None else library.get(found.document), among


def _search_whole(question: str, library: Library, names: Sequence[str]) -> list[Found]:
    """Where a document as a whole is asked for ("Summarise the lease"): the one that is called so; else none."""
    if form_asked(question) != "summary":
        return []
    return library.passages.search(naming_words(question), names, most=1, whole=True)


def _by_states(
    question: str, library: Library, names: Sequence[str], open_reader: Callable[[SavedDocument], Reader]
) -> SavedDocument:
    """Of the first few documents the one a section of which matches the question best."""
    best: tuple[float, SavedDocument] | None = None
    failure: DmdocError = DocumentNotFoundError("there is no document to ask")
    for name in names[:MOST_STATES]:
        try:
            saved = library.get(name)
            reader = open_reader(saved)
            (match,) = matches([question], [load_state(saved, reader)], reader)
        except DmdocError as error:
            failure = error
            continue
        if best is None or float(match.max()) > best[0]:
            best = float(match.max()), saved
    if best is None:
        raise failure
    return best[1]
