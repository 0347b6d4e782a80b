"""From an example to what a batch needs: the chunk that is written and the reads that are asked of its state."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dmdoc.errors import TrainingError
from dmdoc.model.packing import EMPTY_READ, Read
from dmdoc.model.reader import Reader
from dmdoc.model.reads import CONTINUE_WORDS, WINDOW_TOKENS, answer_read, continue_read, recite_read
from dmdoc.text.chunking import Chunk, Layout, chunk_document
from dmdoc.training.config import Stage
from dmdoc.training.examples import Example
from dmdoc.training.rivals import Contest, Weighed, draw_contest

FEWEST_WORDS = 3
"""A continuation in training starts from so many words of the text up to `CONTINUE_WORDS`."""


def whole_text(_question: str, text: str, _reader: Reader) -> str:
    """All of it, as it is."""
    return text


def no_phrases(_question: str, _text: str) -> list[Weighed]:
    """None at all."""
    return []


@dataclass(frozen=True)
class Asking:
    """How `ask` goes about a question of a text: what training is to do likewise."""

    show: Callable[[str, str, Reader], str] = whole_text
    """What it shows of the text, as with `--evidence`: (question, text, reader) → what stands in the prompt."""
    phrases: Callable[[str, str], Sequence[Weighed]] = no_phrases
    """The phrases that it chooses among: (question, text) → those that the model reads, the best by their words
    first."""
    no_answer: float = 0.0
    """What no answer weighs beside them, where the text leaves a question open."""


AS_IT_IS = Asking()


@dataclass(frozen=True)
class Batch:
    """Chunks to write, one a document, and their reads: answers in the first slots, then recitations."""

    chunks: tuple[Chunk, ...]
    reads: tuple[tuple[Read, ...], ...]
    """A row a document, all of equally many reads; where a document has fewer questions, empty reads."""
    answer_slots: int
    """How many of the reads of a row are answers."""
    places: tuple[tuple[int | None, ...], ...]
    """For each answer of a row the place of its first token in the chunk; None where it stands there not once."""
    contests: tuple[tuple[Contest, ...], ...] = ()
    """For each answer of a row its phrases, that of the read first, and what their words weigh; left out where nothing
    is weighed."""
    nothing: float | None = None
    """What no answer weighs, where questions are left open."""

    @property
    def open_slots(self) -> frozenset[tuple[int, int]]:
        """The rows and slots of the reads whose question the document does not answer: their target is wrong."""
        rows = enumerate(self.contests)
        return frozenset(
            (row, slot) for row, own in rows for slot, each in enumerate(own) if not each.answered
        )


def write_chunk(text: str, reader: Reader) -> Chunk:
    """The one chunk of a training text.

    Raises:
        TrainingError: the text is blank, or longer than the adapter's write budget.
    """
    chunks = _chunks(text, reader)
    if len(chunks) != 1:
        raise TrainingError(
            f"a training document of {len(reader.encode(text))} tokens is not one write "
            f"of at most {reader.adapter.config.write_budget}; "
            "raise write_budget, or lower facts and distractors (generated) or max_tokens (files)"
        )
    return chunks[0]


def is_one_write(text: str, reader: Reader) -> bool:
    """Whether `write_chunk` takes a text."""
    return len(_chunks(text, reader)) == 1


def _chunks(text: str, reader: Reader) -> list[Chunk]:
    """As trained, even where the backbone at hand takes less."""
    config = reader.adapter.config
    layout = Layout(config.write_layout)
    return chunk_document(text, reader.backbone.tokenizer, budget=config.write_budget, layout=layout)


def build_batch(
    examples: Sequence[Example],
    stage: Stage,
    reader: Reader,
    generator: random.Random,
    asking: Asking = AS_IT_IS,
) -> Batch:
    """Lay out the documents of one batch.

    Args:
        asking: shows the text to the stage's share of `shown` batches, and weighs phrases where the stage has them
            weighed.

    Raises:
        TrainingError: as `write_chunk`.
    """
    # One kind of recitation a slot, so that reads of like length stand together.
    starts = [generator.random() < 0.5 for _ in range(stage.recitations)]
    shown = stage.shown > 0 and generator.random() < stage.shown
    if shown:
        starts = []
    chunks = tuple(write_chunk(example.text, reader) for example in examples)
    contests: list[tuple[Contest, ...]] = []
    if stage.weighed:
        examples, contests = _weighed(examples, stage, asking, generator)
    slots = max(len(example.questions) for example in examples)
    rows, places = [], []
    for example, chunk in zip(examples, chunks, strict=True):
        rivals = example.rivals or ((),) * len(example.questions)
        answers = [
            answer_read(
                question,
                answer,
                reader,
                rivals=others,
                shown=asking.show(question, example.text, reader) if shown else None,
            )
            for (question, answer), others in zip(example.questions, rivals, strict=True)
        ]
        places.append(tuple(_place(chunk, answer, reader) for _, answer in example.questions))
        answers += [EMPTY_READ] * (slots - len(answers))
        recitations = [
            recitation(example.text, reader) if from_start else continuation(example.text, reader, generator)
            for from_start in starts
        ]
        rows.append((*answers, *recitations))
    nothing = asking.no_answer if stage.left_open else None
    return Batch(chunks, tuple(rows), slots, tuple(places), tuple(contests), nothing)


def _weighed(
    examples: Sequence[Example], stage: Stage, asking: Asking, generator: random.Random
) -> tuple[list[Example], list[tuple[Contest, ...]]]:
    """The examples with the questions that `ask` could answer, or that the text leaves open, and their phrases."""
    found, contests = [], []
    for example in examples:
        posed = [
            *(
                (question, example.accepted.get(question, (answer,)))
                for question, answer in example.questions
            ),
            *((question, ()) for question in example.left_open),
        ]
        drawn = [
            (question, contest)
            for question, answers in posed
            if (
                contest := draw_contest(
                    asking.phrases(question, example.text), answers, stage.rivals, generator
                )
            )
        ]
        said = [[phrase for phrase, _ in each.phrases] for _, each in drawn]
        pairs = tuple((question, own) for (question, _), (own, *_) in zip(drawn, said, strict=True))
        found.append(replace(example, questions=pairs, rivals=tuple(tuple(others) for _, *others in said)))
        contests.append(tuple(each for _, each in drawn))
    return found, contests


def _place(chunk: Chunk, answer: str, reader: Reader) -> int | None:
    """Where in the chunk the tokens of an answer begin: as they are at a line's start, or behind a blank."""
    ids = chunk.token_ids
    for said in (reader.encode(answer), reader.encode(f" {answer}")):
        starts = [at for at in range(len(ids)) if list(ids[at : at + len(said)]) == said]
        if len(starts) == 1:
            return starts[0]
    return None


def recitation(text: str, reader: Reader) -> Read:
    """The text from its beginning, `WINDOW_TOKENS` of it at most."""
    return recite_read((*reader.encode(text), reader.end_ids[0])[:WINDOW_TOKENS], reader)


def continuation(text: str, reader: Reader, generator: random.Random) -> Read:
    """The text from a random word on, `WINDOW_TOKENS` of it at most, given a few words before it."""
    starts = [index for index, character in enumerate(text) if character == " "][2:-1] or [len(text) // 2]
    cut = generator.choice(starts)
    target = (*reader.encode(text[cut:]), reader.end_ids[0])[:WINDOW_TOKENS]
    return continue_read(text[:cut], target, reader, words=generator.randint(FEWEST_WORDS, CONTINUE_WORDS))
