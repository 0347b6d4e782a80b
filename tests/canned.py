"""A reader whose answers are known beforehand; what it writes and saves is what the tiny random model computes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tiny import tiny_reader

from dmdoc.memory.state import MemoryState
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

INTERRUPT = "^C"
"""In a canned answer: here the user presses Ctrl-C."""


@dataclass(frozen=True)
class CannedReader(Reader):
    """Answers a prompt with the answer of the question that stands in it."""

    answers: Mapping[str, str] = field(default_factory=dict)
    frozen: str | None = None
    """The one answer without a state, if it is another."""

    def generate(
        self,
        prompt_ids: Sequence[int],
        state: MemoryState | None,
        settings: GenerationSettings,
        on_token: Callable[[int], None] | None = None,
    ) -> list[int]:
        prompt = self.decode(prompt_ids)
        answer = next(answer for question, answer in self.answers.items() if question in prompt)
        if state is None and self.frozen is not None:
            answer = self.frozen
        said, interrupted, _ = answer.partition(INTERRUPT)
        ids = self.encode(said)
        for token in ids:
            if on_token is not None:
                on_token(token)
        if interrupted:
            raise KeyboardInterrupt
        return ids


def canned_reader(answers: Mapping[str, str], *, frozen: str | None = None) -> CannedReader:
    tiny = tiny_reader()
    return CannedReader(tiny.backbone, tiny.adapter, tiny.adapter_identity, answers=answers, frozen=frozen)
