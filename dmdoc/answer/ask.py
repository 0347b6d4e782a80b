"""Answer a question from a saved document. Its text is never opened: only the states of its sections are.

Read-only: what was saved is byte for byte the same afterwards. Knows nothing about terminals or options.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

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
    speaker: Reader | None = None,
    variables: Mapping[str, str] | None = None,
    on_text: Callable[[str], None] | None = None,
) -> Answer:
    """Fill `prompt` with the question and answer it from `state`; `on_text` hears the answer as it grows.

    Args:
        state: a section a row; of several, one is chosen (routing.py). None leaves the adapter out: the frozen
            backbone answers.
        speaker: who says the answer, once `reader` has chosen the section; `reader` itself if None.
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
    tokens = (speaker or reader).generate(prompt_ids, state, settings, stream.add)
    return Answer(
        text=stream.finish(),
        prompt_ids=tuple(prompt_ids),
        answer_ids=tuple(tokens),
        section=section,
        first_token_seconds=stream.first_token_seconds,
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True)
class Prepared:
    """Several questions as the model is given them."""

    prompts: Sequence[Sequence[int]]
    sections: Sequence[int] | None
    """For each question the row of its document's state that answers it."""
    state: MemoryState | None
    """These rows; None leaves the adapter out."""
    started: float


def prepare(
    questions: Sequence[str | None],
    reader: Reader,
    states: Sequence[MemoryState] | None,
    *,
    prompt: Prompt,
    settings: GenerationSettings,
    variables: Sequence[Mapping[str, str]],
) -> Prepared:
    """Fill `prompt` with several questions, about one document or several, and choose the section that answers each.

    Args:
        states: for each question that of its document, a section a row; None leaves the adapter out.
        variables: what else the prompt of each question has.

    Raises:
        UsageError: as `ask`.
    """
    started = time.monotonic()
    filled = [_filled(prompt, question, more) for question, more in zip(questions, variables, strict=True)]
    prompts = [reader.prompt_ids(messages) for messages in filled]
    reader.check_room(max(map(len, prompts)), settings)
    if states is None:
        return Prepared(prompts, None, None, started)
    asked = [_asked(question, messages) for question, messages in zip(questions, filled, strict=True)]
    sections = choose_sections(asked, states, reader)
    return Prepared(prompts, sections, chosen_rows(states, sections), started)


def answer_all(
    prepared: Prepared,
    reader: Reader,
    settings: GenerationSettings,
    begun: Sequence[Sequence[int]] | None = None,
) -> list[Answer]:
    """Answer several questions at once: the answers of `ask`, but for rounding.

    Args:
        begun: for each question the tokens that its answer is known to begin with, the one that ends it included.

    Returns:
        Answers whose seconds are those of all of them together.
    """
    known = [tuple(each)[: settings.max_tokens] for each in begun or [()] * len(prepared.prompts)]
    open_ones = [
        row
        for row, own in enumerate(known)
        if len(own) < settings.max_tokens and len(reader.until_end(own)) == len(own)
    ]
    rest: dict[int, list[int]] = {}
    if open_ones:
        state = prepared.state
        if state is not None:
            state = state.select(torch.tensor(open_ones, device=state.device))
        prompts = [[*prepared.prompts[row], *known[row]] for row in open_ones]
        left = settings.max_tokens - min(len(known[row]) for row in open_ones)
        found = reader.generate_batch(prompts, state, replace(settings, max_tokens=left))
        rest = dict(zip(open_ones, found, strict=True))
    said = [
        reader.until_end([*own, *rest.get(row, ())][: settings.max_tokens]) for row, own in enumerate(known)
    ]
    seconds = time.monotonic() - prepared.started
    return [
        Answer(
            text=reader.decode(answer_ids).strip(),
            prompt_ids=tuple(prepared.prompts[row]),
            answer_ids=tuple(answer_ids),
            section=None if prepared.sections is None else prepared.sections[row],
            first_token_seconds=seconds,
            seconds=seconds,
        )
        for row, answer_ids in enumerate(said)
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
