"""Ask every question of every document in every mode, a document and a mode at a time; what is done is not redone."""

from collections.abc import Callable, Sequence

from dmdoc.ask import Answer, ask
from dmdoc.chunking import tokenise
from dmdoc.compare.cases import Cases
from dmdoc.compare.results import MODES, Mode, Result, Skipped
from dmdoc.compare.results_file import ResultsFile
from dmdoc.compare.scoring import contains, exact_match, word_f1
from dmdoc.datasets import Question, QuestionedDocument
from dmdoc.errors import UsageError
from dmdoc.memory_state import MemoryState
from dmdoc.prompt import load_prompt
from dmdoc.reader import Reader
from dmdoc.settings import GenerationSettings


def compare(
    cases: Cases,
    reader: Reader,
    *,
    settings: GenerationSettings,
    modes: Sequence[Mode] = MODES,
    file: ResultsFile | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Result], list[Skipped]]:
    """Answer every question in every mode; a document that does not fit the context in a mode is skipped there.

    Args:
        file: what is in it is taken from it; all else is added to it as soon as it is done.
        progress: hears (answers given, answers in all).

    Raises:
        UsageError: nothing fits, in any mode.
    """
    total = len(modes) * sum(len(document.questions) for document in cases.documents)
    results: list[Result] = []
    skipped: list[Skipped] = []
    done = 0
    for number, document in enumerate(cases.documents):
        for mode in modes:
            outcome = file.get(document.name, mode) if file is not None else None
            if outcome is None:
                outcome = _ask_all(number, mode, cases, reader, settings)
                if file is not None:
                    file.add(document.name, mode, outcome)
            if isinstance(outcome, Skipped):
                skipped.append(outcome)
            else:
                results += outcome
            done += len(document.questions)
            if progress is not None:
                progress(done, total)
    if skipped and not results:
        raise UsageError(skipped[0].reason)
    return results, skipped


def _ask_all(
    number: int, mode: Mode, cases: Cases, reader: Reader, settings: GenerationSettings
) -> list[Result] | Skipped:
    """All questions of document `number` in one mode."""
    document = cases.documents[number]
    state = _state(number, mode, cases, reader)
    ids, _ = tokenise(reader.backbone.tokenizer, document.text)
    kept = reader.backbone.cache_bytes(len(ids)) if mode == "full" else _state_bytes(mode, state)
    prompt = load_prompt("full" if mode == "full" else "answer")
    variables = {"document": document.text} if mode == "full" else {}
    results = []
    for asked in document.questions:
        try:
            answer = ask(asked.question, reader, state, prompt=prompt, settings=settings, variables=variables)
        except UsageError as error:
            return Skipped(document.name, mode, str(error))
        results.append(_result(document, mode, asked, answer, len(ids), kept))
    return results


def _state(number: int, mode: Mode, cases: Cases, reader: Reader) -> MemoryState | None:
    """What the mode reads; None is the backbone without the adapter."""
    if mode == "state":
        return cases.state(number)
    if mode == "donor":
        return cases.donor(number)
    return reader.zero_state() if mode == "zero" else None


def _state_bytes(mode: Mode, state: MemoryState | None) -> int:
    """An empty state need not be kept."""
    return 0 if state is None or mode == "zero" else state.numbers * state.layers[0].itemsize


def _result(
    document: QuestionedDocument, mode: Mode, asked: Question, answer: Answer, tokens: int, kept: int
) -> Result:
    return Result(
        document=document.name,
        mode=mode,
        question=asked.question,
        answers=asked.answers,
        given=answer.text,
        position=document.position(asked),
        exact=any(exact_match(answer.text, right) for right in asked.answers),
        contains=any(contains(answer.text, right) for right in asked.answers),
        f1=max(word_f1(answer.text, right) for right in asked.answers),
        prompt_tokens=answer.prompt_tokens,
        document_tokens=tokens,
        first_token_seconds=answer.first_token_seconds,
        seconds=answer.seconds,
        kept_bytes=kept,
    )
