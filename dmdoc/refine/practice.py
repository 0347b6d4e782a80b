"""What a section practises: questions that its own text answers, or, where there are few, the text itself.

Questions are put as `ask` puts them (questions.py makes them, kinds.py names what they ask for). Knows nothing about
states or how they learn from it (refine.py).
"""

import random
from bisect import bisect_right
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from dmdoc.model.packing import Read
from dmdoc.model.reader import Reader
from dmdoc.model.reads import WINDOW_TOKENS, answer_read, continue_read, recite_read
from dmdoc.refine.kinds import name_kinds
from dmdoc.refine.questions import make_questions
from dmdoc.text.chunking import Chunk

STEP_READS = 4
"""The most reads of a section in one step."""

FEW_READS = 8
"""Of a section that has fewer questions, windows of the text are practised beside them."""

STEP_SUPERVISED = STEP_READS * WINDOW_TOKENS
"""Tokens that a section has to say in one step, but for long answers the most."""

STEP_COLUMNS = 2 * STEP_SUPERVISED
"""The same with their prompts, as they are packed."""

VAGUE_ROUNDS = 2
"""Rounds of which one asks for what is vague (questions.py); the others leave its place to what people ask for."""

SHUFFLE_SEED = 0
"""Of the order in which a section practises."""

Practice = tuple[Read, ...]
"""The reads that a section practises, in the order in which it does."""


def section_practice(chunk: Chunk, reader: Reader) -> Practice:
    """The questions that a section answers, in rounds that ask for every answer once, each time in another way.

    An answer that is asked for more often than others becomes the answer to everything: whom a text is about is named
    in most of its sentences. What hardly anybody asks for waits for every `VAGUE_ROUNDS`-th round. A few answers,
    practised alone, would answer everything, too: where there are fewer questions than `FEW_READS`, every round has
    windows of the text.
    """
    draw = random.Random(SHUFFLE_SEED)
    asked = []
    made = make_questions(chunk.text, partial(name_kinds, reader=reader))
    for number, (answer, (questions, is_vague)) in enumerate(made.items()):
        reads = [answer_read(question, answer, reader) for question in draw.sample(questions, len(questions))]
        every = VAGUE_ROUNDS if is_vague else 1
        asked.append(_Turns(reads, every, number % every))
    if sum(len(turns.reads) for turns in asked) < FEW_READS:
        asked += [_Turns([window], 1, 0) for window in section_windows(chunk, reader)]
    rounds = max(len(turns.reads) * turns.every for turns in asked)
    practice: list[Read] = []
    for number in range(rounds):
        at_hand = [turns for turns in asked if number % turns.every == turns.first]
        practice += [
            turns.reads[number // turns.every % len(turns.reads)]
            for turns in draw.sample(at_hand, len(at_hand))
        ]
    return tuple(practice)


class _Turns(NamedTuple):
    """Reads of which a round has the next one: every so many rounds, first in round `first`."""

    reads: list[Read]
    every: int
    first: int


def section_windows(chunk: Chunk, reader: Reader) -> Practice:
    """Cover the text of a section with consecutive reads of at most `WINDOW_TOKENS` tokens.

    The first window is recited; every other continues the text before it. The last ends as an answer ends.
    """
    reads = []
    for start, end in _spans(chunk.text, reader):
        target = reader.encode(chunk.text[start:end])
        if end == len(chunk.text):
            target = [*target, *reader.end_ids[:1]]
        told = chunk.text[:start]
        reads.append(continue_read(told, target, reader) if told else recite_read(target, reader))
    return tuple(reads)


def _spans(text: str, reader: Reader) -> Iterator[tuple[int, int]]:
    """Consecutive (start, end) of the windows of a text, cut before blank space where there is some nearby."""
    _, token_ends = reader.backbone.tokenizer.encode_with_ends(text)
    start = 0
    while start < len(text):
        last = bisect_right(token_ends, start) + WINDOW_TOKENS - 1
        end = len(text)
        if last < len(token_ends) - 1:
            reached = max(start + 1, token_ends[last])
            nearby = range(reached, start + (reached - start) // 2, -1)
            end = next((index for index in nearby if text[index : index + 1].isspace()), reached)
        yield start, end
        start = end
