"""The options of `ask` that say which documents are asked, and which one of them each question is for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from dmdoc.cli.options import Machine, complete_name
from dmdoc.errors import DocumentNotFoundError, UsageError

if TYPE_CHECKING:
    from dmdoc.answer.finding import By
    from dmdoc.library.library import Library
    from dmdoc.library.saved_document import SavedDocument
    from dmdoc.library.shelf import Damaged


@dataclass(frozen=True)
class Target:
    """A question, and the document that it is asked of."""

    question: str | None
    """None where the prompt needs none."""
    document: "SavedDocument | Damaged"
    by: "By" = "given"
    """How the document was found."""
    among: int = 1
    """Of so many documents."""

    @property
    def name(self) -> str:
        return self.document.name

    def saved(self) -> "SavedDocument":
        """
        Raises:
            DmdocError: the document is damaged.
        """
        from dmdoc.library.shelf import Damaged

        if isinstance(self.document, Damaged):
            raise self.document.error
        return self.document


@dataclass(frozen=True)
class Subject:
    """The options that say which documents are asked."""

    document: Annotated[
        list[str] | None,
        typer.Option(
            "--document",
            "-d",
            autocompletion=complete_name,
            help="Look for the answer in this saved document only; may be given again.",
        ),
    ] = None
    tag: Annotated[
        str | None, typer.Option("--tag", help="Look for the answer in documents with this tag only.")
    ] = None
    every: Annotated[
        bool, typer.Option("--all", help="Ask each of the documents, not just the one the question is about.")
    ] = False

    def targets(self, library: "Library", questions: Sequence[str | None], machine: Machine) -> list[Target]:
        """Each question with the document that it is about, or with `--all` with every one.

        Raises:
            UsageError: the documents are named in two ways, or there is no question to choose by.
            DocumentNotFoundError: there is no such document.
        """
        if self.document is not None and self.tag is not None:
            raise UsageError("give --document or --tag, not both")
        if self.every:
            documents = self._every(library)
            return [Target(question, document) for document in documents for question in questions]
        named = self.tag is not None or self.document is not None
        names = [document.name for document in self._every(library)] if named else None
        return [self._found(question, library, names, machine) for question in questions]

    def _found(
        self, question: str | None, library: "Library", names: Sequence[str] | None, machine: Machine
    ) -> Target:
        from dmdoc.answer.finding import find_document

        if question is None:
            return Target(None, self._only(library, library.names() if names is None else names))
        found = find_document(question, library, names, machine.open_reader)
        return Target(question, found.document, found.by, found.among)

    def _only(self, library: "Library", names: Sequence[str]) -> "SavedDocument":
        """The document to ask without a question.

        Raises:
            UsageError: several are named.
        """
        if len(names) == 1:
            return library.get(names[0])
        if self.document is None and self.tag is None:
            return library.current()
        raise UsageError("without a question no document can be chosen; give --all to ask each of them")

    def _every(self, library: "Library") -> "list[SavedDocument | Damaged]":
        """All that the options name, with what is damaged, for the others are asked all the same."""
        found: dict[str, SavedDocument | Damaged] = {each.name: each for each in library.survey()}
        if self.document is not None:
            return [found.get(name) or library.get(name) for name in dict.fromkeys(self.document)]
        chosen = [
            each for each in found.values() if self.tag is None or each.tags is None or self.tag in each.tags
        ]
        if not chosen:
            which = "saved" if self.tag is None else f"tagged {self.tag!r}"
            raise DocumentNotFoundError(f"no document is {which}; `dmdoc ls` lists what there is")
        return chosen
