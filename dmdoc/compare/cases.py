"""What is compared: documents with questions, and for each its own state and that of another document."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import lru_cache

from dmdoc import fictional
from dmdoc.answer.ask import load_state
from dmdoc.datasets import Question, QuestionedDocument, swap_values
from dmdoc.errors import TrainingError, UsageError
from dmdoc.ingest.sections import write_text
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.state import MemoryState
from dmdoc.model.reader import Reader

DONOR_FACTS = 4
"""Facts of the generated document whose state is lent where there is no other document."""

ROSTER_FACTS, SUBJECT_FACTS = 8, 6
"""Of a generated document of the training halves."""

_KEPT_STATES = 3
"""A document's, the one before it, whose state it borrows, and one to spare."""


class Cases:
    """Documents in a fixed order. States are made when they are first needed, and soon forgotten.

    The donor of a document is the one before it (of the first: the second). A lone document's is generated: what
    its state gets right was not recalled from the document.

    Args:
        sections: tokens of the sections that were written already; the reader cuts all others.

    Raises:
        UsageError: there is no question.
    """

    def __init__(
        self,
        documents: Sequence[QuestionedDocument],
        make_state: Callable[[QuestionedDocument], MemoryState],
        sections: Sequence[int] = (),
    ) -> None:
        if not any(document.questions for document in documents):
            raise UsageError("there are no questions to compare with")
        self.documents = tuple(documents)
        self._sections = tuple(sections)
        row = (
            self.documents
            if len(documents) > 1
            else (*documents, *generated_documents(1, DONOR_FACTS, seed=0))
        )
        self.state = lru_cache(maxsize=_KEPT_STATES)(lambda number: make_state(row[number]))
        self._make_state = make_state

    def donor(self, number: int) -> MemoryState:
        return self.state(number - 1 if number else 1)

    def swapped(self, number: int) -> tuple[QuestionedDocument, MemoryState]:
        """A document with its values exchanged, and the state of that.

        Raises:
            UsageError: no two values of it can be exchanged.
        """
        document = swap_values(self.documents[number])
        return document, self._make_state(document)

    @property
    def sha256(self) -> str:
        """Of all texts, questions and answers, in their order, and of how a saved text was cut into sections."""
        asked = [asdict(document) for document in self.documents]
        everything = json.dumps([*asked, *self._sections], ensure_ascii=False)
        return hashlib.sha256(everything.encode()).hexdigest()


def saved_case(saved: SavedDocument, questions: Sequence[Question], reader: Reader) -> Cases:
    """A saved document, with the state that `ask` reads; its sections are its pages.

    Raises:
        UsageError: there are no questions, or one names a page that there is not.
        IdentityError, StateFileError: as `load_state`.
    """
    header = saved.header()
    own = QuestionedDocument(saved.name, saved.pages(), tuple(questions))

    def make_state(document: QuestionedDocument) -> MemoryState:
        return (
            load_state(saved, reader)
            if document is own
            else write_text(document.text, reader, header.refine_steps)
        )

    return Cases([own], make_state, [section.tokens for section in header.sections])


def dataset_cases(documents: Sequence[QuestionedDocument], reader: Reader, *, refine_steps: int = 0) -> Cases:
    """Documents that are written, and refined, as `ingest` would."""
    return Cases(documents, lambda document: write_text(document.text, reader, refine_steps))


def generated_documents(
    documents: int,
    facts: int,
    *,
    seed: int,
    updates: float = 0.0,
    distractors: float = 0.0,
    family: fictional.Family | None = None,
    split: fictional.Split = "eval",
) -> list[QuestionedDocument]:
    """Fictional documents whose names and phrasings training never saw; shares as in `fictional.generate`.

    Args:
        split: "train" draws from those that training sees: to judge by, never to measure recall with.

    Raises:
        UsageError: a roster cannot have so many facts, or is to have updates.
    """
    if family is not None and updates:
        raise UsageError(
            "the facts of a roster do not change: a family of rosters and updates exclude each other"
        )
    made = []
    for number in range(seed * 10_000, seed * 10_000 + documents):
        if family is None:
            document = fictional.generate(
                number, facts=facts, split=split, updates=updates, distractors=distractors
            )
        else:
            document = _roster(number, facts, family, distractors, split)
        made.append(document)
    return [_questioned(f"generated {number}", document) for number, document in enumerate(made, start=1)]


def training_documents(documents: int, *, seed: int) -> list[QuestionedDocument]:
    """Fictional documents to judge and to weigh by, of the training halves: two forms, a roster and facts in turn.

    Never such as recall is measured with.
    """
    made = []
    for number in range(documents):
        own = seed * 10_000 + number
        match number % 4:
            case 2:
                family = fictional.FAMILIES[number // 4 % len(fictional.FAMILIES)]
                document = fictional.generate_roster(own, facts=ROSTER_FACTS, split="train", family=family)
            case 3:
                document = fictional.generate(own, facts=SUBJECT_FACTS, split="train", distractors=0.7)
            case _:
                document = fictional.generate_form(own)
        made.append(_questioned(f"generated {number + 1}", document))
    return made


def training_rosters(each: int, *, seed: int) -> list[QuestionedDocument]:
    """So many rosters of each family, of the training half, with sentences that answer nothing."""
    families = fictional.FAMILIES * each
    return [
        _questioned(
            f"roster {number}",
            fictional.generate_roster(
                seed * 10_000 + number, facts=ROSTER_FACTS, split="train", family=family, distractors=0.3
            ),
        )
        for number, family in enumerate(families, 1)
    ]


def _questioned(name: str, document: fictional.FictionalDocument) -> QuestionedDocument:
    return QuestionedDocument(
        name=f"{name}: {document.title}",
        sections=(document.text,),
        questions=tuple(
            Question(
                item.question,
                (item.answer,),
                section=0,
                offset=int(item.position * len(document.text)),
                superseded=item.superseded,
                attribute=item.attribute,
                about=item.about,
            )
            for item in document.questions
        ),
        unanswered=document.missing,
    )


def _roster(
    seed: int, facts: int, family: fictional.Family, distractors: float, split: fictional.Split
) -> fictional.FictionalDocument:
    try:
        return fictional.generate_roster(
            seed, facts=facts, split=split, family=family, distractors=distractors
        )
    except TrainingError as error:
        raise UsageError(str(error)) from error
