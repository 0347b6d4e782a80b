"""A tiny reader that can practise, and what its sections practise, for the tests of practice and refinement."""

from functools import partial

import torch

from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.model.packing import Read
from dmdoc.model.reader import Reader
from dmdoc.model.reads import answer_read
from dmdoc.refine.kinds import name_kinds
from dmdoc.refine.practice import Practice, section_practice, section_windows
from dmdoc.refine.questions import Asked, make_questions

CONFIG = DeltaMemConfig(write_layout="plain", write_budget=96)
TEXT = "QZX XZQ QQZ ZZX QXX ZQX XQZ QZZ ZXX XXZ QZX ZZQ QXZ ZQQ XQQ ZXZ QQX XZZ"
DONOR = "jkw wkj jjk kkw jww kjw wjk jkk kww wwk jkw kkj jwk kjj wjj kwk jjw wkk"
FACTS = "The barge Sorrel carries grain. The barge was built in 1937."
LONG = " ".join(f"Fact number {number} is that lot {number * 7} holds salt." for number in range(8))


def opinionated(reader: Reader) -> Reader:
    """A head large enough for a tiny random model to prefer some tokens over others."""
    with torch.no_grad():
        reader.backbone.model.get_output_embeddings().weight.mul_(20)
    return reader


def windows_of(text: str, reader: Reader) -> list[Practice]:
    return [section_windows(chunk, reader) for chunk in reader.chunks(text)]


def practices_of(text: str, reader: Reader) -> list[Practice]:
    return [section_practice(chunk, reader) for chunk in reader.chunks(text)]


def questions_of(text: str, reader: Reader) -> dict[str, Asked]:
    return make_questions(text, partial(name_kinds, reader=reader))


def asked_of(text: str, reader: Reader) -> list[Read]:
    """What a text can be asked, as reads, answer by answer."""
    return [
        answer_read(question, answer, reader)
        for answer, asked in questions_of(text, reader).items()
        for question in asked.questions
    ]
