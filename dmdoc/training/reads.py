"""From an example to what a batch needs: the chunk that is written and the reads that are asked of its state.

The text itself is nowhere in a read but in what is to be said: in targets, and in the few words that a
"continue" read starts from.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from dmdoc.chunking import Chunk, Layout, chunk_document
from dmdoc.errors import TrainingError
from dmdoc.prompt import load_prompt
from dmdoc.reader import Reader
from dmdoc.training.config import Stage
from dmdoc.training.examples import Example
from dmdoc.training.packing import EMPTY_READ, Read

CONTINUE_WORDS = 8
"""Words of the text that a "continue" read starts from."""

SHORTEST_CONTINUATION = 8
"""Tokens of a "continue" read where a quarter of the most would be fewer."""


@dataclass(frozen=True)
class Batch:
    """Chunks to write, one a document, and their reads: answers in the first slots, then recitations."""

    chunks: tuple[Chunk, ...]
    reads: tuple[tuple[Read, ...], ...]
    """A row a document, all of equally many reads; where a document has fewer questions, empty reads."""
    answer_slots: int
    """How many of the reads of a row are answers."""


def write_chunk(text: str, reader: Reader) -> Chunk:
    """The one chunk of a training text.

    Raises:
        TrainingError: the text is blank, or longer than the adapter's write budget.
    """
    budget, layout = reader.adapter.config.write_budget, Layout(reader.adapter.config.write_layout)
    chunks = chunk_document(text, reader.backbone.tokenizer, budget=budget, layout=layout)
    if len(chunks) != 1:
        raise TrainingError(
            f"a training document of {len(reader.encode(text))} tokens is not one write of at most {budget}; "
            "raise write_budget, or lower facts and distractors (generated) or max_tokens (files)"
        )
    return chunks[0]


def build_batch(examples: Sequence[Example], stage: Stage, reader: Reader, generator: random.Random) -> Batch:
    """Lay out the documents of one batch.

    Raises:
        TrainingError: as `write_chunk`.
    """
    slots = max(len(example.questions) for example in examples)
    # One kind of recitation a slot, so that reads of like length stand together.
    whole = [generator.random() < 0.5 for _ in range(stage.recitations)]
    rows = []
    for example in examples:
        answers = [answer_read(question, answer, reader) for question, answer in example.questions]
        answers += [EMPTY_READ] * (slots - len(answers))
        recitations = [
            recite_read(example.text, stage.max_tokens, reader)
            if all_of_it
            else continue_read(example.text, stage.max_tokens, reader, generator)
            for all_of_it in whole
        ]
        rows.append((*answers, *recitations))
    return Batch(tuple(write_chunk(example.text, reader) for example in examples), tuple(rows), slots)


def answer_read(question: str, answer: str, reader: Reader) -> Read:
    """A question as `ask` puts it, and its answer."""
    prompt = reader.prompt_ids(load_prompt("answer").fill(question=question))
    return Read(tuple(prompt), (*reader.encode(answer), reader.end_ids[0]))


def recite_read(text: str, most: int, reader: Reader) -> Read:
    """All of the text (its first `most` tokens)."""
    prompt = reader.prompt_ids(load_prompt("recite").fill())
    return Read(tuple(prompt), (*reader.encode(text), reader.end_ids[0])[:most])


def continue_read(text: str, most: int, reader: Reader, generator: random.Random) -> Read:
    """The text from a random word on, for at most a quarter of `most` tokens, given a few words before it."""
    starts = [index for index, character in enumerate(text) if character == " "][2:-1] or [len(text) // 2]
    cut = generator.choice(starts)
    before = " ".join(text[:cut].split()[-CONTINUE_WORDS:])
    prompt = reader.prompt_ids(load_prompt("continue").fill(start=before))
    target = (*reader.encode(text[cut:]), reader.end_ids[0])
    return Read(tuple(prompt), target[: max(SHORTEST_CONTINUATION, most // 4)])
