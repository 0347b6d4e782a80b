"""What is trained on: documents with questions, generated, or from a data set (dmdoc.datasets).

A section with its questions is trained on as a text of its own; questions without a section belong to the
whole document. The first answer is the one that is learned. Knows nothing about tokens: how long a text is, the
caller says.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from dmdoc import fictional
from dmdoc.datasets import QuestionedDocument, read_dataset
from dmdoc.errors import TrainingError, UsageError
from dmdoc.training.borrowing import borrow
from dmdoc.training.config import FICTIONAL, ROSTERS, Stage
from dmdoc.training.rivals import draw_rivals

DRAWS = 20
"""What does not fit is drawn again, so many times in all."""

WINDOW = 8
"""A batch from a file is drawn from so many times its number of documents, all of like length."""


@dataclass(frozen=True)
class Example:
    """One document and what is asked of it."""

    text: str
    questions: tuple[tuple[str, str], ...]
    """(question, answer)."""
    rivals: tuple[tuple[str, ...], ...] = ()
    """For each question other phrases of the text (rivals.py); left out where none are asked for."""


class Source(Protocol):
    """Where the documents of a stage come from."""

    def draw(self, generator: random.Random) -> list[Example]:
        """One batch: the stage's number of documents, of like length, each with at most its questions."""


@dataclass(frozen=True)
class FictionalSource:
    """Generated documents; those of one split share no name and no wording with those of the other."""

    stage: Stage
    split: fictional.Split
    fits: Callable[[str], bool]
    """Whether a text is one write."""
    phrases: Sequence[str] = ()
    """What the stage's share of values is borrowed from."""
    name: str = FICTIONAL
    """Or `ROSTERS`, of every family in turn as chance likes."""

    def draw(self, generator: random.Random) -> list[Example]:
        """As `Source`; a document is longer than one write only where none of `DRAWS` was short enough."""
        stage = self.stage
        facts = generator.randint(*stage.facts)
        examples = []
        for _ in range(stage.documents):
            document = self._document(facts, generator)
            asked = generator.sample(document.questions, min(stage.questions, len(document.questions)))
            pairs = ((generator.choice((item.question, *item.paraphrases)), item.answer) for item in asked)
            example = Example(document.text, tuple(pairs))
            others = [_mistakable(item, document) for item in asked]
            examples.append(_with_rivals(example, others, stage, generator))
        return examples

    def _document(self, facts: int, generator: random.Random) -> fictional.FictionalDocument:
        for _ in range(DRAWS):
            document = self._generate(facts, generator)
            if self.phrases:
                document = borrow(document, self.stage.borrowed, self.phrases, generator)
            if self.fits(document.text):
                break
        return document

    def _generate(self, facts: int, generator: random.Random) -> fictional.FictionalDocument:
        seed, distractors = generator.randrange(2**48), self.stage.distractors
        if self.name == ROSTERS:
            family = generator.choice(fictional.FAMILIES)
            return fictional.generate_roster(
                seed, facts=facts, split=self.split, family=family, distractors=distractors
            )
        return fictional.generate(
            seed, facts=facts, split=self.split, updates=self.stage.updates, distractors=distractors
        )


@dataclass(frozen=True)
class FileSource:
    """The documents of a file that are short enough for the stage, shortest first."""

    stage: Stage
    examples: Sequence[Example]

    @classmethod
    def load(cls, path: Path, stage: Stage, count_tokens: Callable[[str], int]) -> "FileSource":
        """Read a file once, as a whole.

        Raises:
            TrainingError: the file is missing or malformed, or has too few documents that fit.
        """
        measured = [(count_tokens(example.text), example) for example in read_examples(path)]
        fitting = sorted((pair for pair in measured if pair[0] <= stage.max_tokens), key=lambda pair: pair[0])
        if len(fitting) < stage.documents:
            raise TrainingError(
                f"{path} has {len(fitting)} texts of at most {stage.max_tokens} tokens, a batch needs "
                f"{stage.documents}; raise max_tokens or lower documents"
            )
        return cls(stage, [example for _, example in fitting])

    def answers(self) -> list[str]:
        return [answer for example in self.examples for _, answer in example.questions]

    def draw(self, generator: random.Random) -> list[Example]:
        stage = self.stage
        # Around a random length, so that a batch wastes little on padding.
        width = min(WINDOW * stage.documents, len(self.examples))
        place = generator.randrange(len(self.examples) - width + 1)
        drawn = []
        for item in generator.sample(self.examples[place : place + width], stage.documents):
            asked = generator.sample(item.questions, min(stage.questions, len(item.questions)))
            example = Example(item.text, tuple(asked))
            others = [[answer for _, answer in item.questions]] * len(asked)
            drawn.append(_with_rivals(example, others, stage, generator))
        return drawn


def _mistakable(asked: fictional.Question, document: fictional.FictionalDocument) -> list[str]:
    """Answers for which that of `asked` might be taken: those of the same attribute, or all where there are none."""
    others = [item for item in document.questions if item is not asked]
    alike = [
        item.answer for item in others if item.attribute == asked.attribute and item.answer != asked.answer
    ]
    return alike or [item.answer for item in others]


def _with_rivals(
    example: Example, others: Sequence[Sequence[str]], stage: Stage, generator: random.Random
) -> Example:
    if stage.rivals == 0 or stage.weighed:  # then its rivals are those of `ask`
        return example
    rivals = tuple(
        draw_rivals(example.text, question, answer, answers, stage.rivals, generator)
        for (question, answer), answers in zip(example.questions, others, strict=True)
    )
    return replace(example, rivals=rivals)


def read_examples(path: Path) -> list[Example]:
    """All texts of a data set that have questions, in its order.

    Raises:
        TrainingError: there is no such data set, or it cannot be read.
    """
    try:
        documents = read_dataset(path)
    except UsageError as error:
        raise TrainingError(f"no training data: {error}") from error
    return [example for document in documents for example in _texts_of(document)]


def _texts_of(document: QuestionedDocument) -> list[Example]:
    asked: dict[int | None, list[tuple[str, str]]] = {}
    for item in document.questions:
        asked.setdefault(item.section, []).append((item.question, item.answers[0]))
    return [
        Example(document.text if at is None else document.sections[at], tuple(pairs))
        for at, pairs in asked.items()
    ]
