"""What is logged during training: the reads of documents never trained on, under their own state and a donor's."""

import random
from dataclasses import asdict

import torch

from dmdoc.reader import Reader
from dmdoc.training.config import Stage
from dmdoc.training.examples import draw_examples
from dmdoc.training.loss import ReadScores, score_reads, write_batch
from dmdoc.training.reads import build_batch

BATCHES = 2


def measure(stage: Stage, reader: Reader, seed: int) -> dict[str, dict[str, float]]:
    """Scores by control, {"own": …, "donor": …}, on generated documents shaped like the stage's.

    The donor's state is that of the next document of the batch: what its score has in common with the own state's
    was learned from questions and not from the document.
    """
    shape = Stage(
        steps=1,
        documents=stage.documents,
        facts=stage.facts,
        updates=stage.updates,
        distractors=stage.distractors,
        questions=stage.questions,
        max_tokens=stage.max_tokens,
    )
    totals: dict[str, dict[str, float]] = {"own": {}, "donor": {}}
    with torch.no_grad():
        for number in range(BATCHES):
            examples = draw_examples(shape, seed=seed, step=number, split="eval", fits=lambda _text: True)
            batch = build_batch(examples, shape, reader, random.Random(number))
            own = write_batch(batch, reader)
            rolled = torch.arange(own.batch, device=own.device).roll(1)
            for control, state in (("own", own), ("donor", own.select(rolled))):
                for name, value in _floats(score_reads(batch, state, reader)).items():
                    totals[control][name] = totals[control].get(name, 0.0) + value / BATCHES
    return totals


def _floats(scores: ReadScores) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in asdict(scores).items()}
