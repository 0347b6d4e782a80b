"""Answers of `ask` about several documents or to several questions, and what JSON says of any answer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from dmdoc import console
from dmdoc.cli.library import warn_of_changed_files
from dmdoc.cli.options import JSON_SCHEMA, Machine
from dmdoc.cli.subject import Target
from dmdoc.console import answers
from dmdoc.errors import DmdocError, PartialFailureError, UnsupportedError

if TYPE_CHECKING:
    from dmdoc.answer.evidence import Passage
    from dmdoc.answer.recall import Inquiry, Recalled
    from dmdoc.memory.judges import Judgement
    from dmdoc.model.prompt import Prompt, RecallMode
    from dmdoc.model.reader import Reader
    from dmdoc.settings.generation import GenerationSettings

TOGETHER = 32
"""Questions that are answered at once."""


@dataclass(frozen=True)
class Requests:
    """What is asked of which documents, and how it is answered."""

    targets: Sequence[Target]
    prompt: "Prompt"
    settings: "GenerationSettings"
    mode: "RecallMode"
    most: int
    """Passages in a prompt."""
    citations: bool
    """Whether passages of the text are told with each answer, which are looked up in it."""
    strict: bool
    """Whether only answers are told that are sure or likely."""

    measured: bool
    """Whether lift and likelihood are told."""

    @property
    def reads_text(self) -> bool:
        return self.citations or self.mode in ("spans", "evidence", "full")


class Failures:
    """Tells of each document what is wrong with it, once, and counts those that could not be asked."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def add(self, name: str, error: DmdocError) -> None:
        if (name, str(error)) not in self._told:
            self._told.add((name, str(error)))
            console.error(f"{name}: {error}")

    def __len__(self) -> int:
        return len({name for name, _ in self._told})


def answer_many(requests: Requests, machine: Machine, *, as_jsonl: bool, best_first: bool) -> None:
    """Print an answer a line: document, question, answer and verdict with tabs between them, or as JSON.

    Args:
        best_first: in the order of how far to trust them, all at the end; else as they come.

    Raises:
        PartialFailureError: documents could not be asked; the others were.
        UnsupportedError: no answer is sure or likely, and only such are told.
        UsageError: only such are told, and nobody judges these answers.
    """
    from dmdoc.answer.recall import cite

    failures = Failures()
    given = _answers(requests, machine, failures)
    if best_first:
        given = iter(sorted(given, key=lambda answer: -_merit(answer[3])))
    absent, told = bool(requests.targets), 0
    for target, inquiry, recalled, judgement, reader in given:
        absent = absent and judgement is not None and judgement.verdict == "not in the document"
        if requests.strict and not (judgement and judgement.holds):
            continue
        told += 1
        if as_jsonl:
            found = (
                cite(inquiry.question, recalled, inquiry.pages) if requests.citations else recalled.evidence
            )
            console.write_json(answer_record(target, recalled, judgement, found, reader))
            continue
        row = (target.name, inquiry.question or "", recalled.answer.text, *_words(judgement))
        console.write_answer("\t".join(" ".join(cell.split()) for cell in row) + "\n")
        # What the model was shown of the text is never kept quiet.
        if recalled.document_tokens:
            console.note(f"{target.name}: {answers.origin(recalled)}")
    documents = len({target.name for target in requests.targets})
    nothing = f"none of the {documents:,} documents says so"
    if best_first and absent and not requests.strict:
        console.note(nothing)
    if failures:
        raise PartialFailureError(f"{len(failures)} of {documents} documents could not be asked")
    if requests.strict and not told:
        raise UnsupportedError(nothing if absent else f"none of the {documents:,} answers is sure or likely")


def _words(judgement: "Judgement | None") -> tuple[str, ...]:
    return () if judgement is None else (judgement.verdict,)


def _merit(judgement: "Judgement | None") -> float:
    """By what answers to one question are ordered; those that nobody can judge stay in their order."""
    if judgement is None:
        return 0.0
    return judgement.probability - (judgement.verdict == "not in the document")


def _answers(
    requests: Requests, machine: Machine, failures: Failures
) -> "Iterator[tuple[Target, Inquiry, Recalled, Judgement | None, Reader]]":
    """Every question of every document, answered in groups; what cannot be answered is told and left out."""
    from dmdoc.answer.judging import check_that_answers_are_judged, judge

    # A draw depends on what is drawn beside it, and prompts with text in them are long: these go one by one.
    alone = requests.mode in ("evidence", "full") or requests.settings.temperature > 0
    for reader, targets in _by_reader(requests.targets, machine, failures):
        if requests.strict:
            check_that_answers_are_judged(requests.mode, reader)
        asked = _inquiries(targets, requests, reader, failures, quiet=machine.quiet)
        while group := list(islice(asked, 1 if alone else TOGETHER)):
            for target, inquiry, recalled in _recalled(group, requests, reader, failures):
                saved = target.saved()
                judgement = judge(target.question, recalled, inquiry.state, saved.pages, reader, saved.name)
                yield target, inquiry, recalled, judgement, reader


def _recalled(
    group: "Sequence[tuple[Target, Inquiry]]", requests: Requests, reader: "Reader", failures: Failures
) -> "Iterator[tuple[Target, Inquiry, Recalled]]":
    """A group of questions, answered at once; if one cannot be answered, one by one."""
    from dmdoc.answer.recall import recall_all

    try:
        found = recall_all(
            [inquiry for _, inquiry in group],
            reader,
            settings=requests.settings,
            mode=requests.mode,
            prompt=requests.prompt,
            most=requests.most,
            measured=requests.measured,
        )
    except DmdocError as error:
        if len(group) == 1:
            failures.add(group[0][0].name, error)
            return
        for each in group:
            yield from _recalled([each], requests, reader, failures)
        return
    for (target, inquiry), one in zip(group, found, strict=True):
        own = replace(one.answer, seconds=one.answer.seconds / len(group))  # as long as one of them took
        yield target, inquiry, replace(one, answer=own)


def _by_reader(
    targets: Sequence[Target], machine: Machine, failures: Failures
) -> "Iterable[tuple[Reader, list[Target]]]":
    """The targets by the reader that wrote them; what cannot be opened is told and left out."""
    opened: dict[int, tuple[Reader, list[Target]]] = {}
    for target in targets:
        try:
            reader = machine.open_reader(target.saved())
        except DmdocError as error:
            failures.add(target.name, error)
        else:
            opened.setdefault(id(reader), (reader, []))[1].append(target)
    return opened.values()


def _inquiries(
    targets: Sequence[Target], requests: Requests, reader: "Reader", failures: Failures, *, quiet: bool
) -> "Iterator[tuple[Target, Inquiry]]":
    """What is asked; a document whose state or text cannot be used is told and left out."""
    from dmdoc.answer.ask import load_state
    from dmdoc.answer.recall import Inquiry

    for name, asked in groupby(targets, lambda target: target.name):
        own = list(asked)
        saved = own[0].saved()
        try:
            state, budget = load_state(saved, reader), saved.header().write_budget
            text = partial(tuple[str, ...], saved.pages() if requests.reads_text else ())
        except DmdocError as error:
            failures.add(name, error)
        else:
            if not quiet:
                warn_of_changed_files([saved])
            yield from ((target, Inquiry(target.question, state, text, budget)) for target in own)


def answer_record(
    target: Target,
    recalled: "Recalled",
    judgement: "Judgement | None",
    found: "Sequence[Passage]",
    reader: "Reader",
) -> dict[str, Any]:
    """What JSON says of an answer."""
    saved = target.saved()
    answer, support, sections = recalled.answer, recalled.support, saved.header().sections
    pages = None if answer.section is None else sections[answer.section][1:]
    choice = recalled.choice
    return {
        "schema": JSON_SCHEMA,
        "question": target.question,
        "answer": answer.text,
        "document": saved.name,
        "found_by": target.by,
        "found_among": target.among,
        "section": None if answer.section is None else answer.section + 1,
        "sections": len(sections),
        "section_pages": pages,
        "model": reader.backbone.name,
        "adapter": reader.adapter_identity.name,
        "recall": recalled.mode,
        "lift": None if support is None else round(support.lift, 4),
        "log_likelihood": None if support is None else round(support.log_likelihood, 4),
        "verdict": None if judgement is None else judgement.verdict,
        "probability": None if judgement is None else round(judgement.probability, 4),
        "supported": None if judgement is None else judgement.holds,
        "citations": [asdict(passage) for passage in found],
        "places": [] if choice is None else [place._asdict() for place in choice.places],
        "free_answer": None if choice is None else choice.free,
        "candidates": 0 if choice is None else choice.candidates,
        "prompt_tokens": answer.prompt_tokens,
        "document_tokens_in_prompt": recalled.document_tokens,
        "document_tokens_scored": 0 if choice is None else choice.document_tokens,
        "answer_tokens": answer.answer_tokens,
        "seconds": round(answer.seconds, 3),
    }
