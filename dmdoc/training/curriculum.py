"""The batches of a run, in order: which documents, and which reads of them.

A batch depends on the seed, the step and its number within the step alone, so that a run that was killed
continues as if it had not been.
"""

import random
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from dmdoc.errors import TrainingError
from dmdoc.model.packing import EMPTY_READ
from dmdoc.model.reader import Reader
from dmdoc.text.chunking import Chunk, Layout
from dmdoc.training.borrowing import MOST_CHARACTERS, MOST_WORDS, lendable
from dmdoc.training.config import GENERATED, Stage, TrainingConfig
from dmdoc.training.examples import DRAWS, FictionalSource, FileSource, Source
from dmdoc.training.reads import AS_IT_IS, Asking, Batch, build_batch, is_one_write, write_chunk


class Curriculum:
    """Every batch of one run."""

    def __init__(self, config: TrainingConfig, reader: Reader, asking: Asking = AS_IT_IS) -> None:
        """Reads the files of all stages, so that what is wrong with them is known before the first step.

        Raises:
            TrainingError: a file is missing, malformed, or has too few documents that fit a write.
        """
        self._config = config
        self._reader = reader
        self._asking = asking
        paths = {dataset.name: Path(dataset.path) for dataset in config.datasets}
        self._sources: dict[tuple[Stage, str], Source] = {}
        for stage in config.stages:
            files = {
                name: open_file(paths[name], stage, reader) for name in stage.data if name not in GENERATED
            }
            self._sources.update({(stage, name): file for name, file in files.items()})
            phrases = _phrases(files.values()) if stage.borrowed else ()
            fits = partial(is_one_write, reader=reader)
            for name in set(stage.data).intersection(GENERATED):
                self._sources[stage, name] = FictionalSource(stage, "train", fits, phrases, name)

    def batch(self, step: int, number: int) -> Batch:
        """Batch `number` (from 0) of step `step` (from 0); the data of the stage take turns.

        Raises:
            TrainingError: a generated document exceeds the write budget, or no question has an answer that could be
                chosen.
        """
        stage = self._config.stage_at(step)
        generator = random.Random(f"{self._config.seed}/train/{step}/{number}")
        name = stage.data[(step * stage.batches + number) % len(stage.data)]
        for _ in range(DRAWS):
            examples = self._sources[stage, name].draw(generator)
            batch = build_batch(examples, stage, self._reader, generator, self._asking)
            if any(read != EMPTY_READ for row in batch.reads for read in row):
                return batch
        raise TrainingError(
            f"no question of {DRAWS} batches of {name} has an answer that could be chosen; leave weighed out, or give "
            "other data"
        )

    def sample(self, documents: int) -> list[Chunk]:
        """At least so many documents of the first stage, to fit the start of the weights to."""
        generator = random.Random(f"{self._config.seed}/sample")
        first = self._config.stages[0]
        chunks: list[Chunk] = []
        while len(chunks) < documents:
            for name in first.data:
                examples = self._sources[first, name].draw(generator)
                chunks += [write_chunk(example.text, self._reader) for example in examples]
        return chunks


def _phrases(files: Iterable[FileSource]) -> list[str]:
    """What generated facts borrow.

    Raises:
        TrainingError: there is nothing to borrow.
    """
    phrases = lendable(answer for file in files for answer in file.answers())
    if not phrases:
        raise TrainingError(
            f"no answer of the stage's datasets is short enough to be borrowed: at most {MOST_WORDS} words and "
            f"{MOST_CHARACTERS} characters; leave borrowed out"
        )
    return phrases


def open_file(path: Path, stage: Stage, reader: Reader) -> FileSource:
    """The documents of a file that `stage` can train on.

    Raises:
        TrainingError: as `FileSource.load`, or max_tokens with the write layout exceeds the write budget.
    """
    config = reader.adapter.config
    layout = sum(len(part) for part in Layout(config.write_layout).frame(reader.backbone.tokenizer))
    if stage.max_tokens + layout > config.write_budget:
        raise TrainingError(
            f"max_tokens {stage.max_tokens} and the {layout} tokens of the write layout exceed "
            f"the write_budget {config.write_budget}; lower max_tokens"
        )
    return FileSource.load(path, stage, lambda text: len(reader.encode(text)))
