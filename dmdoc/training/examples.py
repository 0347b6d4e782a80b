"""What is trained on: documents with questions, generated or from JSON lines, drawn by step number alone.

The batch of a step depends on the seed and the step, so that a run that was killed continues as if it had not been.
"""

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dmdoc import fictional
from dmdoc.errors import TrainingError
from dmdoc.training.config import Stage

_CHARACTERS_A_TOKEN = 6
"""More than English text has; a cheap first sieve before anything is tokenised."""


@dataclass(frozen=True)
class Example:
    """One document and what is asked of it."""

    text: str
    questions: tuple[tuple[str, str], ...]
    """(question, answer), at least one."""


def draw_examples(
    stage: Stage, *, seed: int, step: int, split: fictional.Split = "train", fits: Callable[[str], bool]
) -> list[Example]:
    """The documents of one step, all of like length. `fits` says whether a text is short enough.

    Raises:
        TrainingError: the stage's file is missing, malformed, or has too few documents that fit.
    """
    generator = random.Random(f"{seed}/{split}/{step}")
    if stage.data == "fictional":
        return _draw_fictional(stage, generator, split)
    candidates = [e for e in _read_examples(Path(stage.data), stage.max_tokens * _CHARACTERS_A_TOKEN)]
    chosen: list[Example] = []
    # Around a random length, so that a batch wastes little on padding.
    place = generator.randrange(max(1, len(candidates) - stage.documents * 8))
    window = candidates[place : place + stage.documents * 8]
    generator.shuffle(window)
    for example in window:
        if fits(example.text) and len(chosen) < stage.documents:
            questions = generator.sample(example.questions, min(stage.questions, len(example.questions)))
            chosen.append(Example(example.text, tuple(questions)))
    if len(chosen) < stage.documents:
        raise TrainingError(
            f"{stage.data} has fewer than {stage.documents} documents of at most {stage.max_tokens} tokens"
        )
    return chosen


def _draw_fictional(stage: Stage, generator: random.Random, split: fictional.Split) -> list[Example]:
    facts = generator.randint(*stage.facts)
    examples = []
    for _ in range(stage.documents):
        document = fictional.generate(
            generator.randrange(2**48), facts=facts, split=split, updates=stage.updates, distractors=stage.distractors
        )
        asked = generator.sample(document.questions, min(stage.questions, len(document.questions)))
        pairs = tuple((generator.choice((item.question, *item.paraphrases)), item.answer) for item in asked)
        examples.append(Example(document.text, pairs))
    return examples


@cache
def _read_examples(path: Path, most_characters: int) -> tuple[Example, ...]:
    """The sections of a JSON-lines file that questions point to, shortest first.

    A line is `{"sections": [text], "qas": [{"question", "answers": [text], "section": index or null}]}`; a question
    without a section belongs to the whole document.
    """
    if not path.is_file():
        raise TrainingError(f"no training data at {path}")
    opener = gzip.open if path.suffix == ".gz" else open
    examples: list[Example] = []
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                examples += _sections(json.loads(line), most_characters)
            except (ValueError, KeyError, TypeError, IndexError) as error:
                raise TrainingError(f"{path} line {number} is not a document with sections and qas: {error}") from error
    return tuple(sorted(examples, key=lambda example: len(example.text)))


def _sections(record: dict[str, list[dict[str, object]]], most_characters: int) -> list[Example]:
    sections = [str(text) for text in record["sections"]]
    asked: dict[int | None, list[tuple[str, str]]] = {}
    for item in record["qas"]:
        answers = item["answers"]
        section = item.get("section")
        if isinstance(answers, list) and answers:
            place = section if isinstance(section, int) else None
            asked.setdefault(place, []).append((str(item["question"]), str(answers[0])))
    texts = {index: sections[index] for index in asked if index is not None}
    whole = "\n\n".join(sections)
    found = [Example(text, tuple(asked[index])) for index, text in texts.items() if len(text) <= most_characters]
    if None in asked and len(whole) <= most_characters:
        found.append(Example(whole, tuple(asked[None])))
    return found
