"""The same questions with and without the memory: what the state adds, held against honest controls.

    state    the document's own state            donor    another document's state
    zero     the adapter with an empty state     frozen   the backbone without the adapter
    full     the backbone with the whole document in its prompt

What `donor` gets right was not recalled from the document, and `full` is what the backbone could do with the text
before its eyes. Knows nothing about where documents come from or how results are shown.
"""

import json
import random
import re
import string
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal

import torch

from dmdoc import fictional
from dmdoc.ask import ask
from dmdoc.errors import UsageError
from dmdoc.memory_state import MemoryState
from dmdoc.prompt import load_prompt
from dmdoc.reader import Reader
from dmdoc.refine import document_windows, refine
from dmdoc.settings import GenerationSettings

Mode = Literal["state", "zero", "donor", "frozen", "full"]
MODES: tuple[Mode, ...] = ("state", "zero", "donor", "frozen", "full")

RESAMPLES = 1000
"""Bootstrap resamples behind a confidence interval."""


@dataclass(frozen=True)
class Case:
    """A document, its state, and what is asked of it."""

    text: str
    state: MemoryState
    donor: MemoryState
    """The state of another document."""
    questions: tuple[tuple[str, tuple[str, ...]], ...]
    """(question, right answers)."""


@dataclass(frozen=True)
class Result:
    """One question answered in one mode."""

    mode: Mode
    question: str
    answers: tuple[str, ...]
    """The right ones."""
    given: str
    exact: bool
    """Equal to a right answer but for case, articles and punctuation."""
    contains: bool
    """Contains a right answer, likewise."""
    f1: float
    """Word overlap with the best right answer, 0 to 1 (SQuAD's measure)."""
    prompt_tokens: int
    seconds: float


@dataclass(frozen=True)
class Summary:
    """One mode over all questions; intervals are 95 % bootstrap percentiles."""

    mode: Mode
    questions: int
    exact: float
    exact_interval: tuple[float, float]
    contains: float
    f1: float
    prompt_tokens: float
    """Mean tokens in the prompt."""
    seconds: float
    """Mean seconds a question."""


def compare(
    cases: Sequence[Case],
    reader: Reader,
    *,
    settings: GenerationSettings,
    modes: Sequence[Mode] = MODES,
    progress: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """Answer every question of every case in every mode.

    Raises:
        UsageError: there is nothing to ask, or a document does not fit the backbone's context in mode `full`.
    """
    questions = [(case, *asked) for case in cases for asked in case.questions]
    if not questions:
        raise UsageError("there are no questions to compare with")
    results = []
    for done, (case, question, answers) in enumerate(questions, start=1):
        for mode in modes:
            results.append(_answer(mode, question, answers, case, reader, settings))
        if progress is not None:
            progress(done, len(questions))
    return results


def generated_cases(
    reader: Reader, *, documents: int, facts: int, seed: int, refine_steps: int = 0
) -> list[Case]:
    """Fictional documents of the evaluation split with their states; the donor of each is the next one."""
    made = [
        fictional.generate(seed * 10_000 + number, facts=facts, split="eval") for number in range(documents)
    ]
    states = [write_state(document.text, reader, refine_steps) for document in made]
    return [
        Case(
            text=document.text,
            state=states[number],
            donor=states[(number + 1) % documents],
            questions=tuple((question.question, (question.answer,)) for question in document.questions),
        )
        for number, document in enumerate(made)
    ]


def read_questions(path: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Questions from JSON lines: `{"question": text, "answer": text}` or `"answers": [text]`.

    Raises:
        UsageError: the file is missing, or a line is something else.
    """
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the questions in {path}: {error}") from error
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            answers = record["answers"] if "answers" in record else [record["answer"]]
            found.append((str(record["question"]), tuple(str(answer) for answer in answers)))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path} line {number} is not an object with question and answer") from error
    return tuple(found)


def write_state(text: str, reader: Reader, refine_steps: int = 0) -> MemoryState:
    """The state of a text, as `ingest` would write and refine it."""
    chunks = reader.chunks(text)
    windows = document_windows(chunks, reader) if refine_steps else ()
    state = reader.zero_state()
    for number, chunk in enumerate(chunks, start=1):
        with torch.no_grad():
            state = reader.write([chunk], state)
        state = refine(state, windows[:number], reader, refine_steps)
    return state


def summarise(results: Sequence[Result], *, seed: int = 0) -> list[Summary]:
    """Means by mode, in the order of MODES, with bootstrap intervals over questions."""
    summaries = []
    for mode in MODES:
        own = [result for result in results if result.mode == mode]
        if own:
            summaries.append(
                Summary(
                    mode=mode,
                    questions=len(own),
                    exact=fmean(result.exact for result in own),
                    exact_interval=_bootstrap([float(result.exact) for result in own], seed),
                    contains=fmean(result.contains for result in own),
                    f1=fmean(result.f1 for result in own),
                    prompt_tokens=fmean(result.prompt_tokens for result in own),
                    seconds=fmean(result.seconds for result in own),
                )
            )
    return summaries


def _answer(
    mode: Mode,
    question: str,
    answers: tuple[str, ...],
    case: Case,
    reader: Reader,
    settings: GenerationSettings,
) -> Result:
    states: dict[Mode, MemoryState] = {"state": case.state, "zero": reader.zero_state(), "donor": case.donor}
    started = time.monotonic()
    answer = ask(
        question,
        reader,
        states.get(mode),
        prompt=load_prompt("full" if mode == "full" else "answer"),
        settings=settings,
        variables={"document": case.text} if mode == "full" else {},
    )
    return Result(
        mode=mode,
        question=question,
        answers=answers,
        given=answer.text,
        exact=any(normalise_answer(answer.text) == normalise_answer(right) for right in answers),
        contains=any(_contains(answer.text, right) for right in answers),
        f1=max(word_f1(answer.text, right) for right in answers),
        prompt_tokens=answer.prompt_tokens,
        seconds=time.monotonic() - started,
    )


def normalise_answer(text: str) -> str:
    """Lower case without punctuation, articles and surplus blanks: SQuAD's rule (arXiv 1606.05250)."""
    kept = "".join(" " if character in string.punctuation else character for character in text.lower())
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def word_f1(given: str, right: str) -> float:
    """Harmonic mean of word precision and recall, 0 to 1, after `normalise_answer`."""
    mine, theirs = normalise_answer(given).split(), normalise_answer(right).split()
    shared = sum((Counter(mine) & Counter(theirs)).values())
    return 2 * shared / (len(mine) + len(theirs)) if shared else 0.0


def _contains(given: str, right: str) -> bool:
    return f" {normalise_answer(right)} " in f" {normalise_answer(given)} "


def _bootstrap(values: Sequence[float], seed: int) -> tuple[float, float]:
    generator = random.Random(seed)
    means = sorted(fmean(generator.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]
