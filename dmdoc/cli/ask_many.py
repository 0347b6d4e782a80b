"""Answers of `ask` about several documents or to several questions, and what JSON says of any answer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
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
    from dmdoc.library.shelf import Damaged
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

    def documents(self, library: "Library") -> "list[SavedDocument | Damaged]":
        """What is asked; of several documents those that are damaged too, for the others are asked all the same.

        Raises:
            UsageError: the documents are named in more than one way.
            DocumentNotFoundError: there is no such document.
        """
        if (self.document is not None) + (self.tag is not None) + self.every > 1:
            raise UsageError("give --document, --tag or --all, one of them")
        if self.tag is None and not self.every:
            if not self.document:
                return [library.current()]
            return [_named(name, library, several=self.several) for name in dict.fromkeys(self.document)]
        found = [
            each for each in library.survey() if self.every or each.tags is None or self.tag in each.tags
        ]
        if not found:
            which = "saved" if self.every else f"tagged {self.tag!r}"
            raise DocumentNotFoundError(f"no document is {which}; `dmdoc ls` lists what there is")
        return found


def _named(name: str, library: "Library", *, several: bool) -> "SavedDocument | Damaged":
    from dmdoc.library.shelf import Damaged

    try:
        return library.get(name)
    except (UsageError, DocumentNotFoundError):
        raise
    except DmdocError as error:
        if not several:
            raise
        return Damaged(name, error, None)


@dataclass(frozen=True)
class Requests:
    """Questions, each to be asked of each document, and how they are answered."""

    documents: "Sequence[SavedDocument | Damaged]"
    questions: Sequence[str | None]
    prompt: "Prompt"
    settings: "GenerationSettings"
    way: "Way"
    most: int
    """Passages in a prompt."""
    citations: bool
    """Whether passages of the text are told with each answer, which are looked up in it."""

    @property
    def reads_text(self) -> bool:
        return self.citations or self.way in ("spans", "evidence", "full")


class Failures:
    """Tells of each document what is wrong with it, once, and counts those that could not be asked."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def add(self, name: str, error: DmdocError) -> None:
        if (name, str(error)) not in self._told:
            self._told.add((name, str(error)))
            console.error(f"{name}: {error}")

    def __len__(self) -> int:
        return len({name for name, _ in self._told})


def answer_many(requests: Requests, machine: Machine, *, as_jsonl: bool) -> None:
    """Print an answer a line: document, question and answer with tabs between them, or as JSON.

    Raises:
        PartialFailureError: documents could not be asked; the others were.
    """
    from dmdoc.answer.recall import cite

    failures = Failures()
    for saved, inquiry, recalled, reader in _answers(requests, machine, failures):
        if as_jsonl:
            found = (
                cite(inquiry.question, recalled, inquiry.pages) if requests.citations else recalled.evidence
            )
            console.write_json(answer_record(inquiry.question, recalled, found, saved, reader))
            continue
        row = (saved.name, inquiry.question or "", recalled.answer.text)
        console.write_answer("\t".join(" ".join(cell.split()) for cell in row) + "\n")
        # What the model was shown of the text is never kept quiet.
        if recalled.document_tokens:
            console.note(f"{saved.name}: {answers.origin(recalled)}")
    if failures:
        raise PartialFailureError(
            f"{len(failures)} of {len(requests.documents)} documents could not be asked"
        )


def _answers(
    requests: Requests, machine: Machine, failures: Failures
) -> "Iterator[tuple[SavedDocument, Inquiry, Recalled, Reader]]":
    """Every question of every document, answered in groups; what cannot be answered is told and left out."""
    # A draw depends on what is drawn beside it, and prompts with text in them are long: these go one by one.
    alone = requests.way in ("evidence", "full") or requests.settings.temperature > 0
    for reader, documents in _by_reader(requests.documents, machine, failures):
        asked = _inquiries(documents, requests, reader, failures)
        while group := list(islice(asked, 1 if alone else TOGETHER)):
            for saved, inquiry, recalled in _recalled(group, requests, reader, failures):
                yield saved, inquiry, recalled, reader


def _recalled(
    group: "Sequence[tuple[SavedDocument, Inquiry]]", requests: Requests, reader: "Reader", failures: Failures
) -> "Iterator[tuple[SavedDocument, Inquiry, Recalled]]":
    """A group of questions, answered at once; if one cannot be answered, one by one."""
    from dmdoc.answer.recall import recall_all

    try:
        found = recall_all(
            [inquiry for _, inquiry in group],
            reader,
            settings=requests.settings,
            way=requests.way,
            prompt=requests.prompt,
            most=requests.most,
        )
    except DmdocError as error:
        if len(group) == 1:
            failures.add(group[0][0].name, error)
            return
        for each in group:
            yield from _recalled([each], requests, reader, failures)
        return
    yield from ((saved, inquiry, each) for (saved, inquiry), each in zip(group, found, strict=True))


def _by_reader(
    documents: "Sequence[SavedDocument | Damaged]", machine: Machine, failures: Failures
) -> "Iterable[tuple[Reader, list[SavedDocument]]]":
    """The documents by the reader that wrote them; what cannot be opened is told and left out."""
    from dmdoc.library.shelf import Damaged

    opened: dict[int, tuple[Reader, list[SavedDocument]]] = {}
    for saved in documents:
        try:
            if isinstance(saved, Damaged):
                raise saved.error
            reader = machine.open_reader(saved)
        except DmdocError as error:
            failures.add(saved.name, error)
        else:
            opened.setdefault(id(reader), (reader, []))[1].append(saved)
    return opened.values()


def _inquiries(
    documents: "Sequence[SavedDocument]", requests: Requests, reader: "Reader", failures: Failures
) -> "Iterator[tuple[SavedDocument, Inquiry]]":
    """Every question of every document; a document whose state or text cannot be used is told and left out."""
    from dmdoc.answer.ask import load_state
    from dmdoc.answer.recall import Inquiry

    for saved in documents:
        try:
            state, budget = load_state(saved, reader), saved.header().write_budget
            text = partial(tuple[str, ...], saved.pages() if requests.reads_text else ())
        except DmdocError as error:
            failures.add(saved.name, error)
        else:
            yield from ((saved, Inquiry(question, state, text, budget)) for question in requests.questions)


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
    choice = recalled.choice
    span = None if choice is None else choice.span
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
        "place": None
        if span is None
        else {"page": span.statement.page, "start": span.start, "end": span.end},
        "free_answer": None if choice is None else choice.free,
        "candidates": 0 if choice is None else choice.candidates,
        "prompt_tokens": answer.prompt_tokens,
        "document_tokens_in_prompt": recalled.document_tokens,
        "document_tokens_scored": 0 if choice is None else choice.document_tokens,
        "answer_tokens": answer.answer_tokens,
        "seconds": round(answer.seconds, 3),
    }
