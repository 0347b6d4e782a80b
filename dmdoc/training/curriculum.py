"""The batches of a run, in order: which documents, and which reads of them.

A batch depends on the seed, the step and its number within the step alone, so that a run that was killed
continues as if it had not been.
"""

import random

from dmdoc.chunking import Chunk, Layout
from dmdoc.errors import TrainingError
from dmdoc.reader import Reader
from dmdoc.training.config import FICTIONAL, Stage, TrainingConfig
from dmdoc.training.examples import FictionalSource, FileSource, Source
from dmdoc.training.reads import Batch, build_batch, write_chunk


class Curriculum:
    """Every batch of one run."""

    def __init__(self, config: TrainingConfig, reader: Reader) -> None:
        """Reads the files of all stages, so that what is wrong with them is known before the first step.

        Raises:
            TrainingError: a file is missing, malformed, or has too few documents that fit a write.
        """
        self._config = config
        self._reader = reader
        self._sources = {stage: open_source(stage, reader) for stage in config.stages}

    def batch(self, step: int, number: int) -> Batch:
        """Batch `number` (from 0) of step `step` (from 0).

        Raises:
            TrainingError: a generated document exceeds the write budget.
        """
        stage = self._config.stage_at(step)
        generator = random.Random(f"{self._config.seed}/train/{step}/{number}")
        return build_batch(self._sources[stage].draw(generator), stage, self._reader, generator)

    def sample(self, documents: int) -> list[Chunk]:
        """At least so many documents of the first stage, to fit the start of the weights to."""
        generator = random.Random(f"{self._config.seed}/sample")
        source = self._sources[self._config.stages[0]]
        chunks: list[Chunk] = []
        while len(chunks) < documents:
            chunks += [write_chunk(example.text, self._reader) for example in source.draw(generator)]
        return chunks


def open_source(stage: Stage, reader: Reader) -> Source:
    """Where the documents of `stage` come from.

    Raises:
        TrainingError: as `FileSource.load`, or max_tokens with the write layout exceeds the write budget.
    """
    if stage.data == FICTIONAL:
        return FictionalSource(stage, "train")
    config = reader.adapter.config
    layout = sum(len(part) for part in Layout(config.write_layout).frame(reader.backbone.tokenizer))
    if stage.max_tokens + layout > config.write_budget:
        raise TrainingError(
            f"max_tokens {stage.max_tokens} and the {layout} tokens of the write layout exceed "
            f"the write_budget {config.write_budget}; lower max_tokens"
        )
    return FileSource.load(stage, lambda text: len(reader.encode(text)))
