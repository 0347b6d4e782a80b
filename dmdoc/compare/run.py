"""Ask every question of every document in every mode, a document and a mode at a time; what is done is not redone."""

from collections.abc import Callable, Sequence

from dmdoc.chunking import tokenise
from dmdoc.compare.cases import Cases
from dmdoc.compare.results import MODES, Mode, Result, Skipped
from dmdoc.compare.results_file import ResultsFile
from dmdoc.compare.scoring import contains, exact_match, word_f1
from dmdoc.datasets import Question, QuestionedDocument
from dmdoc.errors import UsageError
from dmdoc.memory_state import MemoryState
from dmdoc.reader import Reader
from dmdoc.recall import Recalled, recall
from dmdoc.settings import GenerationSettings, Way
from dmdoc.support import log_likelihood

WAYS: dict[Mode, Way] = {
    "state": "state",
    "zero": "state",
    "donor": "state",
    "frozen": "frozen",
    "full": "full",
    "evidence": "evidence",
}
"""How `ask` answers in each mode; they differ in the state as well."""


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
    tokens = len(tokenise(reader.backbone.tokenizer, document.text)[0])
    results = []
    for asked in document.questions:
        try:
            recalled = recall(
                asked.question, reader, state, lambda: document.sections, settings=settings, way=WAYS[mode]
            )
        except UsageError as error:
            return Skipped(document.name, mode, str(error))
        results.append(_result(document, tokens, mode, asked, state, recalled, reader))
    return results


def _state(number: int, mode: Mode, cases: Cases, reader: Reader) -> MemoryState:
    """What the mode reads; frozen and full read no state."""
    if mode in ("state", "evidence"):
        return cases.state(number)
    return cases.donor(number) if mode == "donor" else reader.zero_state()


def _kept(mode: Mode, state: MemoryState, text: str, tokens: int, reader: Reader) -> int:
    """Bytes of what is kept of a document between two questions. An empty state need not be."""
    if mode == "full":
        return reader.backbone.cache_bytes(tokens)
    if mode in ("zero", "frozen"):
        return 0
    return state.batch * state.numbers * state.layers[0].itemsize + (
        len(text.encode()) if mode == "evidence" else 0
    )


def _result(
    document: QuestionedDocument,
    tokens: int,
    mode: Mode,
    asked: Question,
    state: MemoryState,
    recalled: Recalled,
    reader: Reader,
) -> Result:
    answer, section = recalled.answer, recalled.answer.section
    read = None if section is None else state.rows(section, section + 1)
    gold = reader.encode(asked.answers[0])
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
        log_likelihood=float(log_likelihood(answer.prompt_ids, gold, read, reader)),
        lift=recalled.lift,
        prompt_tokens=answer.prompt_tokens,
        prompt_document_tokens=recalled.document_tokens,
        document_tokens=tokens,
        first_token_seconds=answer.first_token_seconds,
        seconds=answer.seconds,
        kept_bytes=_kept(mode, state, document.text, tokens, reader),
    )
