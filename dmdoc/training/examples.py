"""What is trained on: documents with questions, generated, or from a data set (dmdoc.datasets).

A section with its questions is trained on as a text of its own; questions without a section belong to the
whole document. The first answer is the one that is learned. Knows nothing about tokens: how long a text is, the
caller says.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from dmdoc import fictional
from dmdoc.datasets import Question, QuestionedDocument, read_dataset, with_gaps
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
    accepted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """All right answers of the questions that have several."""
    left_open: tuple[str, ...] = ()
    """Questions that the text does not answer."""


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
        for whole in generator.sample(self.examples[place : place + width], stage.documents):
            item = _with_gaps(whole, stage, generator)
            left_open = _left_open(item.left_open, stage, generator)
            most = min(stage.questions - len(left_open), len(item.questions))
            asked = generator.sample(item.questions, most)
            example = Example(item.text, tuple(asked), accepted=item.accepted, left_open=left_open)
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


def _left_open(questions: Sequence[str], stage: Stage, generator: random.Random) -> tuple[str, ...]:
    """Those of the questions that a text does not answer which are to be read."""
    if not stage.left_open:
        return ()
    count = sum(generator.random() < stage.left_open for _ in range(stage.questions))
    return tuple(generator.sample(questions, min(count, len(questions))))


def _with_gaps(example: Example, stage: Stage, generator: random.Random) -> Example:
    """Half of the examples that leave nothing open without the sentences that answer some of their questions."""
    if not stage.left_open or example.left_open or generator.random() < 0.5:
        return example
    known = example.accepted
    questions = tuple(
        Question(question, known.get(question, (answer,))) for question, answer in example.questions
    )
    made = with_gaps(QuestionedDocument("", (example.text,), questions), generator)
    if not made.questions:
        return example
    pairs = tuple((asked.question, asked.answers[0]) for asked in made.questions)
    return Example(made.text, pairs, accepted=known, left_open=made.unanswered)


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
    asked: dict[int | None, list[Question]] = {}
    for item in document.questions:
        asked.setdefault(item.section, []).append(item)
    return [
        Example(
            document.text if at is None else document.sections[at],
            tuple((item.question, item.answers[0]) for item in items),
            accepted={item.question: item.answers for item in items if len(item.answers) > 1},
            left_open=document.unanswered if len(document.sections) == 1 else (),
        )
        for at, items in asked.items()
    ]
