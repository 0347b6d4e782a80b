"""Answer a question from a saved document. Its text is never opened: only the states of its sections are.

Read-only: what was saved is byte for byte the same afterwards. Knows nothing about terminals or options.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dmdoc.answer.routing import choose_sections
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.state import MemoryState
from dmdoc.memory.state_header import check_identity
from dmdoc.model.prompt import Prompt
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings


@dataclass(frozen=True)
class Answer:
    """An answer and what it took."""

    text: str
    prompt_ids: tuple[int, ...]
    """What the model was given: system line, question and chat layout."""
    answer_ids: tuple[int, ...]
    section: int | None
    """The section whose state answered, counted from 0; None without a state."""
    first_token_seconds: float
    seconds: float

    @property
    def prompt_tokens(self) -> int:
        return len(self.prompt_ids)

    @property
    def answer_tokens(self) -> int:
        return len(self.answer_ids)


def load_state(saved: SavedDocument, reader: Reader) -> MemoryState:
    """The states of a saved document, a section a row, on the reader's device.

    Raises:
        IdentityError: another backbone, adapter or tokenizer wrote it.
        StateFileError: the file is truncated, altered or not a state.
    """
    state, header = saved.state()
    check_identity(
        header,
        backbone=reader.backbone.identity,
        adapter=reader.adapter_identity,
        tokenizer=reader.backbone.tokenizer_identity,
    )
    return state.to(reader.backbone.device)


def ask(
    question: str | None,
    reader: Reader,
    state: MemoryState | None,
    *,
    prompt: Prompt,
    settings: GenerationSettings,
    variables: Mapping[str, str] | None = None,
    on_text: Callable[[str], None] | None = None,
) -> Answer:
    """Fill `prompt` with the question and answer it from `state`; `on_text` hears the answer as it grows.

    Args:
        state: a section a row; of several, one is chosen (routing.py). None leaves the adapter out: the frozen
            backbone answers.
        variables: what else the prompt has.

    Raises:
        UsageError: the prompt needs a question and there is none, or prompt and answer exceed the context.
    """
    started = time.monotonic()
    messages = _filled(prompt, question, variables or {})
    prompt_ids = reader.prompt_ids(messages)
    section = None
    if state is not None:
        (section,) = choose_sections([_asked(question, messages)], [state], reader)
        state = state.rows(section, section + 1)
    stream = _TextStream(reader, on_text, started)
    tokens = reader.generate(prompt_ids, state, settings, stream.add)
    return Answer(
        text=stream.finish(),
        prompt_ids=tuple(prompt_ids),
        answer_ids=tuple(tokens),
        section=section,
        first_token_seconds=stream.first_token_seconds,
        seconds=time.monotonic() - started,
    )


def ask_all(
    questions: Sequence[str | None],
    reader: Reader,
    states: Sequence[MemoryState] | None,
    *,
    prompt: Prompt,
    settings: GenerationSettings,
    variables: Sequence[Mapping[str, str]],
) -> list[Answer]:
    """Several questions, about one document or several, at once: the answers of `ask`, but for rounding.

    Args:
        states: for each question that of its document, a section a row; None leaves the adapter out.
        variables: what else the prompt of each question has.

    Returns:
        Answers whose seconds are those of all of them together.

    Raises:
        UsageError: as `ask`.
    """
    started = time.monotonic()
    filled = [_filled(prompt, question, more) for question, more in zip(questions, variables, strict=True)]
    prompts = [reader.prompt_ids(messages) for messages in filled]
    sections, state = None, None
    if states is not None:
        asked = [_asked(question, messages) for question, messages in zip(questions, filled, strict=True)]
        sections = choose_sections(asked, states, reader)
        state = chosen_rows(states, sections)
    answers = reader.generate_batch(prompts, state, settings)
    seconds = time.monotonic() - started
    return [
        Answer(
            text=reader.decode(answer_ids).strip(),
            prompt_ids=tuple(prompt_ids),
            answer_ids=tuple(answer_ids),
            section=None if sections is None else sections[row],
            first_token_seconds=seconds,
            seconds=seconds,
        )
        for row, (prompt_ids, answer_ids) in enumerate(zip(prompts, answers, strict=True))
    ]


def chosen_rows(states: Sequence[MemoryState], sections: Sequence[int]) -> MemoryState:
    """One row of each state, in one batch."""
    rows = zip(states, sections, strict=True)
    return MemoryState.cat([state.rows(section, section + 1) for state, section in rows])


def _filled(prompt: Prompt, question: str | None, variables: Mapping[str, str]) -> list[dict[str, str]]:
    return prompt.fill(**({} if question is None else {"question": question}), **variables)


def _asked(question: str | None, messages: Sequence[Mapping[str, str]]) -> str:
    """What a section is sought for: the question, or all that a prompt without one says."""
    return question or messages[-1]["content"]


class _TextStream:
    """Tokens to text as they come; a character is passed on when all of its bytes are there."""

    def __init__(self, reader: Reader, on_text: Callable[[str], None] | None, started: float) -> None:
        self._reader = reader
        self._on_text = on_text
        self._started = started
        self._tokens: list[int] = []
        self._shown = ""
        self.first_token_seconds = 0.0

    def add(self, token: int) -> None:
        if not self._tokens:
            self.first_token_seconds = time.monotonic() - self._started
        self._tokens.append(token)
        text = self._reader.decode(self._tokens).lstrip()
        # A space at the end may be the end of the answer; an incomplete character decodes to U+FFFD.
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            self._show(text.rstrip())

    def finish(self) -> str:
        text = self._reader.decode(self._tokens).strip()
        self._show(text)
        return text

    def _show(self, text: str) -> None:
        if self._on_text is not None and len(text) > len(self._shown):
            self._on_text(text[len(self._shown) :])
            self._shown = text
