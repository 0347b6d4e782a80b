"""What is logged during training: reads of documents never trained on, under their own state and a donor's.

They are always generated, from names and wordings that training does not use. A stage that trains on a file
is measured on them too: what its figures say is how much of reading and answering from a state carries over.
"""

import random
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial

import torch

from dmdoc.model.reader import Reader
from dmdoc.training.config import FICTIONAL, Stage
from dmdoc.training.examples import Example, FictionalSource
from dmdoc.training.loss import score_reads, write_batch
from dmdoc.training.reads import AS_IT_IS, Asking, build_batch, is_one_write

BATCHES = 2


def measure(
    stage: Stage, reader: Reader, seed: int, name: str = FICTIONAL, *, asking: Asking = AS_IT_IS
) -> dict[str, dict[str, float]]:
    """Scores by control, {"own": …, "donor": …}, on generated documents of that name shaped like the stage's.

    The donor's state is that of the next document of the batch: what its score has in common with the own
    state's was learned from questions and not from the document.

    Raises:
        TrainingError: a generated document exceeds the write budget.
    """
    shape = _shape(stage)
    totals: dict[str, dict[str, float]] = {"own": {}, "donor": {}}
    with torch.no_grad():
        for number, examples in enumerate(_examples(stage, seed, partial(is_one_write, reader=reader), name)):
            batch = build_batch(examples, shape, reader, random.Random(number), asking)
            own = write_batch(batch, reader)
            next_one = torch.arange(own.batch, device=own.device).roll(-1)
            for control, state in (("own", own), ("donor", own.select(next_one))):
                for name, value in asdict(score_reads(batch, state, reader)).items():
                    totals[control][name] = totals[control].get(name, 0.0) + float(value) / BATCHES
    return {
        control: {name: round(value, 4) for name, value in sums.items()} for control, sums in totals.items()
    }


def questions_measured(stage: Stage, seed: int) -> int:
    """How many questions are behind each share that `measure` gives, however often a document was drawn again."""
    batches = _examples(stage, seed, fits=lambda _: True)
    return sum(len(example.questions) for examples in batches for example in examples)


def _examples(
    stage: Stage, seed: int, fits: Callable[[str], bool], name: str = FICTIONAL
) -> list[list[Example]]:
    source = FictionalSource(_shape(stage), "eval", fits, name=name)
    return [source.draw(random.Random(f"{seed}/eval/{number}")) for number in range(BATCHES)]


def _shape(stage: Stage) -> Stage:
    """Both kinds of read are measured whatever the stage trains on, and all questions; every document needs a donor.

    With the text in the prompt, which leaves nothing to recite, only where the stage always has it there.
    """
    return replace(
        stage,
        documents=max(2, stage.documents),
        questions=max(1, stage.questions),
        recitations=1,
        weighed=False,
        left_open=0.0,
        shown=float(stage.shown == 1),
    )
