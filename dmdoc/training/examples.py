"""What is trained on: documents with questions, generated, or from a file of JSON lines.

A line of a file is one document:

    {"sections": [text, ...],
     "qas": [{"question": text, "answers": [text, ...], "section": index or null}, ...]}

A section with its questions is trained on as a text of its own; questions without a section belong to the
whole document. The first answer is the one that is learned; a question without any is left out. Knows nothing
about tokens: how long a text is, the caller says.
"""

import gzip
import json
import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dmdoc import fictional
from dmdoc.errors import TrainingError
from dmdoc.training.borrowing import borrow
from dmdoc.training.config import Stage

DRAWS = 20
"""A generated document that does not fit a write is drawn again, so many times in all."""

WINDOW = 8
"""A batch from a file is drawn from so many times its number of documents, all of like length."""


@dataclass(frozen=True)
class Example:
    """One document and what is asked of it."""

    text: str
    questions: tuple[tuple[str, str], ...]
    """(question, answer)."""


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

    def draw(self, generator: random.Random) -> list[Example]:
        """As `Source`; a document is longer than one write only where none of `DRAWS` was short enough."""
        stage = self.stage
        facts = generator.randint(*stage.facts)
        examples = []
        for _ in range(stage.documents):
            document = self._document(facts, generator)
            asked = generator.sample(document.questions, min(stage.questions, len(document.questions)))
            pairs = ((generator.choice((item.question, *item.paraphrases)), item.answer) for item in asked)
            examples.append(Example(document.text, tuple(pairs)))
        return examples

    def _document(self, facts: int, generator: random.Random) -> fictional.FictionalDocument:
        for _ in range(DRAWS):
            document = fictional.generate(
                generator.randrange(2**48),
                facts=facts,
                split=self.split,
                updates=self.stage.updates,
                distractors=self.stage.distractors,
            )
            if self.phrases:
                document = borrow(document, self.stage.borrowed, self.phrases, generator)
            if self.fits(document.text):
                break
        return document


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
        chosen = generator.sample(self.examples[place : place + width], stage.documents)
        return [
            Example(
                item.text, tuple(generator.sample(item.questions, min(stage.questions, len(item.questions))))
            )
            for item in chosen
        ]


def read_examples(path: Path) -> list[Example]:
    """All texts of a JSON-lines file (`.gz` is unpacked) that have questions, in its order.

    Raises:
        TrainingError: no such file, not one that can be read, or a line is no document (its number is named).
    """
    if not path.is_file():
        raise TrainingError(f"no training data at {path}")
    examples: list[Example] = []
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    examples += _parse_line(line, f"{path} line {number}")
    except (OSError, EOFError, zlib.error) as error:
        raise TrainingError(f"cannot read the training data {path}: {error}") from error
    return examples


def _parse_line(line: bytes, where: str) -> list[Example]:
    try:
        record = json.loads(line)
    except ValueError as error:  # bytes that are not UTF-8 are one as well
        raise TrainingError(f"{where} is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise TrainingError(f"{where} must be an object with sections and qas, got {type(record).__name__}")
    sections, items = record.get("sections"), record.get("qas")
    if not _are_texts(sections) or not sections:
        raise TrainingError(f"{where}: sections must be a list of texts, none of them blank")
    if not isinstance(items, list):
        raise TrainingError(f"{where}: qas must be a list of questions")
    asked: dict[int | None, list[tuple[str, str]]] = {}
    for item in items:
        section, question, answers = _parse_question(item, len(sections), where)
        if answers:
            asked.setdefault(section, []).append((question, answers[0]))
    whole = "\n\n".join(sections)
    return [Example(whole if at is None else sections[at], tuple(pairs)) for at, pairs in asked.items()]


def _parse_question(item: Any, sections: int, where: str) -> tuple[int | None, str, list[str]]:
    if not isinstance(item, dict) or not _are_texts([item.get("question")]):
        raise TrainingError(f"{where}: every one of qas must be an object with a question")
    question, answers, section = item["question"], item.get("answers"), item.get("section")
    if not isinstance(answers, list) or not _are_texts(answers):
        raise TrainingError(f"{where}: the answers of '{question}' must be a list of texts")
    if section is not None and (type(section) is not int or not 0 <= section < sections):
        raise TrainingError(
            f"{where}: the section of '{question}' must be null or 0 to {sections - 1}, got {section!r}"
        )
    return section, question, answers


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) and value.strip() for value in values)
