"""Answers of `ask` about several documents or to several questions, and what JSON says of any answer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dmdoc import console
from dmdoc.cli.options import JSON_SCHEMA, Machine, complete_name
from dmdoc.console import answers
from dmdoc.errors import DmdocError, DocumentNotFoundError, PartialFailureError, UsageError

if TYPE_CHECKING:
    from dmdoc.answer.evidence import Passage
    from dmdoc.answer.recall import Inquiry, Recalled
    from dmdoc.library.library import Library
    from dmdoc.library.saved_document import SavedDocument
    from dmdoc.model.prompt import Prompt
    from dmdoc.model.reader import Reader
    from dmdoc.settings.generation import GenerationSettings, Way

TOGETHER = 32
"""Questions that are answered at once."""


@dataclass(frozen=True)
class Subject:
    """The options that say which documents are asked."""

    document: Annotated[
        list[str] | None,
        typer.Option(
            "--document",
            "-d",
            autocompletion=complete_name,
            help="The saved document; may be given again; the last ingested one if not given.",
        ),
    ] = None
    tag: Annotated[str | None, typer.Option("--tag", help="All documents with this tag.")] = None
    every: Annotated[bool, typer.Option("--all", help="All documents.")] = False

    @property
    def several(self) -> bool:
        """Whether an answer has to say whose it is, be it for the only document that there is."""
        return self.tag is not None or self.every or len(self.document or ()) > 1

    def documents(self, library: "Library") -> "list[SavedDocument]":
        """
        Raises:
            UsageError: the documents are named in more than one way.
            DocumentNotFoundError: there is no such document.
        """
        if (self.document is not None) + (self.tag is not None) + self.every > 1:
            raise UsageError("give --document, --tag or --all, one of them")
        if self.tag is None and not self.every:
            return (
                [library.get(name) for name in dict.fromkeys(self.document)]
                if self.document
                else [library.current()]
            )
        found = [saved for saved in library.documents() if self.every or self.tag in saved.tags]
        if not found:
            which = "saved" if self.every else f"tagged {self.tag!r}"
            raise DocumentNotFoundError(f"no document is {which}; `dmdoc ls` lists what there is")
        return found


@dataclass(frozen=True)
class Requests:
    """Questions, each to be asked of each document, and how they are answered."""

    documents: "Sequence[SavedDocument]"
    questions: Sequence[str | None]
    prompt: "Prompt"
    settings: "GenerationSettings"
    way: "Way"
    most: int
    """Passages in a prompt."""


def answer_many(requests: Requests, machine: Machine, *, citations: bool, as_jsonl: bool) -> None:
    """Print an answer a line: document, question and answer with tabs between them, or as JSON.

    Raises:
        PartialFailureError: documents could not be asked; the others were.
    """
    from dmdoc.answer.recall import cite

    answered = set()
    for saved, inquiry, recalled, reader in _answers(requests, machine):
        answered.add(saved.name)
        if as_jsonl:
            found = cite(inquiry.question, recalled, saved.pages) if citations else recalled.evidence
            console.write_json(answer_record(inquiry.question, recalled, found, saved, reader))
            continue
        row = (saved.name, inquiry.question or "", recalled.answer.text)
        console.write_answer("\t".join(" ".join(cell.split()) for cell in row) + "\n")
        # What the model was shown of the text is never kept quiet.
        if recalled.document_tokens:
            console.note(f"{saved.name}: {answers.origin(recalled)}")
    if failed := len(requests.documents) - len(answered):
        raise PartialFailureError(f"{failed} of {len(requests.documents)} documents could not be asked")


def _answers(
    requests: Requests, machine: Machine
) -> "Iterator[tuple[SavedDocument, Inquiry, Recalled, Reader]]":
    """Every question of every document, answered in groups."""
    from dmdoc.answer.recall import recall_all

    # A draw depends on what is drawn beside it, and prompts with text in them are long: these go one by one.
    alone = requests.way in ("evidence", "full") or requests.settings.temperature > 0
    for reader, documents in _by_reader(requests.documents, machine):
        asked = _inquiries(documents, requests.questions, reader)
        while group := list(islice(asked, 1 if alone else TOGETHER)):
            found = recall_all(
                [inquiry for _, inquiry in group],
                reader,
                settings=requests.settings,
                way=requests.way,
                prompt=requests.prompt,
                most=requests.most,
            )
            for (saved, inquiry), recalled in zip(group, found, strict=True):
                yield saved, inquiry, recalled, reader


def _by_reader(
    documents: "Sequence[SavedDocument]", machine: Machine
) -> "Iterable[tuple[Reader, list[SavedDocument]]]":
    """The documents by the reader that wrote them; what cannot be opened is told and left out."""
    opened: dict[int, tuple[Reader, list[SavedDocument]]] = {}
    for saved in documents:
        try:
            reader = machine.open_reader(saved)
        except DmdocError as error:
            console.error(f"{saved.name}: {error}")
        else:
            opened.setdefault(id(reader), (reader, []))[1].append(saved)
    return opened.values()


def _inquiries(
    documents: "Sequence[SavedDocument]", questions: Sequence[str | None], reader: "Reader"
) -> "Iterator[tuple[SavedDocument, Inquiry]]":
    """Every question of every document; a document whose state cannot be used is told and left out."""
    from dmdoc.answer.ask import load_state
    from dmdoc.answer.recall import Inquiry

    for saved in documents:
        try:
            state = load_state(saved, reader)
        except DmdocError as error:
            console.error(f"{saved.name}: {error}")
        else:
            yield from ((saved, Inquiry(question, state, saved.pages)) for question in questions)


def answer_record(
    question: str | None,
    recalled: "Recalled",
    found: "Sequence[Passage]",
    saved: "SavedDocument",
    reader: "Reader",
) -> dict[str, Any]:
    """What JSON says of an answer."""
    answer, support, sections = recalled.answer, recalled.support, saved.header().sections
    pages = None if answer.section is None else sections[answer.section][1:]
    return {
        "schema": JSON_SCHEMA,
        "question": question,
        "answer": answer.text,
        "document": saved.name,
        "section": None if answer.section is None else answer.section + 1,
        "sections": len(sections),
        "section_pages": pages,
        "model": reader.backbone.name,
        "adapter": reader.adapter_identity.name,
        "recall": recalled.way,
        "lift": None if support is None else round(support.lift, 4),
        "log_likelihood": None if support is None else round(support.log_likelihood, 4),
        "supported": recalled.supported,
        "citations": [asdict(passage) for passage in found],
        "prompt_tokens": answer.prompt_tokens,
        "document_tokens_in_prompt": recalled.document_tokens,
        "answer_tokens": answer.answer_tokens,
        "seconds": round(answer.seconds, 3),
    }
