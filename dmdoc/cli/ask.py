"""`ask`: an answer about a saved document; several answers are made in ask_many.py."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from dmdoc import console
from dmdoc.cli.ask_many import Requests, answer_many, answer_record
from dmdoc.cli.library import warn_of_changed_files
from dmdoc.cli.options import (
    CitationsOption,
    Drawing,
    JsonLinesOption,
    JsonOption,
    PromptOption,
    ServedMachine,
    environment,
    open_library,
    spread,
)
from dmdoc.cli.resident import mention
from dmdoc.cli.subject import Subject
from dmdoc.console import answers
from dmdoc.errors import UsageError
from dmdoc.model.prompt import RecallMode, usual_mode
from dmdoc.settings.folders import data_folder
from dmdoc.settings.generation import EVIDENCE_PASSAGES
from dmdoc.text.counting import counted

if TYPE_CHECKING:
    from dmdoc.answer.recall import Recalled
    from dmdoc.library.saved_document import SavedDocument
    from dmdoc.memory.judges import Judgement

MOST_PASSAGES = 12
"""`--evidence` has room for 600 tokens; passages of fewer than 50 say little."""


class AskCommand(TyperCommand):
    """`--evidence` takes its number after "=" alone: a word that follows it is the question."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        given = ["--evidence=" + str(EVIDENCE_PASSAGES) if arg == "--evidence" else arg for arg in args[:end]]
        return super().parse_args(ctx, given + args[end:])


@spread
def ask(
    question: Annotated[
        str | None, typer.Argument(help="The question; - reads it from standard input.")
    ] = None,
    questions: Annotated[
        str | None,
        typer.Option("--questions", metavar="FILE", help="Ask every question in FILE (or -), one a line."),
    ] = None,
    recall: Annotated[
        RecallMode | None,
        typer.Option(
            "--recall",
            help="What to answer from: spans (a phrase of the text, chosen by the state), unless told.",
        ),
    ] = None,
    evidence: Annotated[
        int | None,
        typer.Option(
            "--evidence",
            metavar="[=N]",
            min=1,
            max=MOST_PASSAGES,
            help=f"Show the model the N passages that fit the question best ({EVIDENCE_PASSAGES} without N).",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Print only an answer that the state supports; otherwise exit with 4."),
    ] = False,
    citations: CitationsOption = True,
    prompt: PromptOption = None,
    as_json: JsonOption = False,
    as_jsonl: JsonLinesOption = False,
    *,
    subject: Subject,
    drawing: Drawing,
    machine: ServedMachine,
) -> None:
    """Answer questions from the saved states of documents."""
    from dmdoc.model.prompt import MODE_PROMPTS, load_prompt

    settings = drawing.settings()
    mode = _mode(recall, evidence, freely=prompt is not None or settings.temperature > 0)
    template = load_prompt(prompt or MODE_PROMPTS[mode])
    asked = _questions(question, questions)
    if asked == [None] and "question" in template.required_variables():
        raise UsageError('there is no question; give one as in `dmdoc ask "Who …?"`, or --questions FILE')
    template.fill(document="", question="")  # names what else is missing, before a model is loaded
    many, best_first = as_jsonl or subject.every or questions is not None, subject.every and questions is None
    if many and (as_json or (strict and not best_first)):
        raise UsageError(
            "--json and --strict are for one question; --jsonl says of each answer how far to trust it"
        )
    targets = subject.targets(open_library(), asked, machine)
    if many:
        cited = citations and as_jsonl
        requests = Requests(
            targets, template, settings, mode, evidence or EVIDENCE_PASSAGES, cited, strict, as_jsonl
        )
        answer_many(requests, machine, as_jsonl=as_jsonl, best_first=best_first)
        return
    (target,) = targets

    from dmdoc.answer.ask import load_state
    from dmdoc.answer.judging import check_judgement, check_that_answers_are_judged, judge
    from dmdoc.answer.recall import cite
    from dmdoc.answer.recall import recall as answer_question

    single, saved = target.question, target.saved()
    if not machine.quiet:
        warn_of_changed_files([saved])
    reader = machine.open_reader(saved)
    if strict:
        check_that_answers_are_judged(mode, reader)
    streams = not as_json and not strict
    state = load_state(saved, reader)
    recalled = answer_question(
        single,
        reader,
        state,
        saved.pages,
        settings=settings,
        mode=mode,
        prompt=template,
        most=evidence or EVIDENCE_PASSAGES,
        budget=saved.header().write_budget,
        measured=as_json or machine.verbose,
        on_text=console.write_answer if streams else None,
    )
    judgement = judge(single, recalled, state, saved.pages, reader, saved.name)
    if strict:
        check_judgement(judgement, saved.name, target.among)
    found = cite(single, recalled, saved.pages) if citations else recalled.evidence
    if as_json:
        console.write_json(answer_record(target, recalled, judgement, found, reader))
        return
    console.write_answer("\n" if streams else f"{recalled.answer.text}\n")
    # What the model was shown of the text is never kept quiet, nor that the text does not answer the question.
    absent = judgement is not None and judgement.verdict == "not in the document"
    if not machine.quiet or recalled.document_tokens or absent:
        console.note(answers.verdict(recalled, judgement, found, saved, target.among))
    if machine.quiet:
        return
    if helps := answers.advice(recalled, judgement, found):
        console.note(helps)
    if citations:
        for line in answers.citations(found):
            console.note(line)
    if machine.verbose:
        _tell_more(recalled, judgement, saved)
    if reader.backbone.device.type == "cpu":  # nothing on a card is handed over
        mention(data_folder(environment()))


def _tell_more(recalled: "Recalled", judgement: "Judgement | None", saved: "SavedDocument") -> None:
    answer = recalled.answer
    for line in (answers.origin(recalled), answers.measured(recalled, judgement)):
        if line:
            console.note(line)
    console.note(
        f"{saved.name}: {answer.prompt_tokens} prompt tokens, {recalled.document_tokens or 'none'} of them the "
        f"document's; first token after {answer.first_token_seconds:.2f} s, "
        f"{counted(answer.answer_tokens, 'token')} in {answer.seconds:.2f} s"
        f"{_section_note(answer.section, saved)}"
    )


def _questions(question: str | None, file: str | None) -> list[str | None]:
    """What is asked: one question, which may be none, or those in a file.

    Raises:
        UsageError: both are given, or the file cannot be read or holds no question.
    """
    if file is None:
        try:
            asked = sys.stdin.read() if question == "-" else question
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"cannot read the question from standard input: {error}; give UTF-8 text"
            ) from error
        return [asked.strip() or None if asked else None]
    if question is not None:
        raise UsageError("give a question or --questions, not both")
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the questions in {file}: {error}") from error
    asked_in_file: list[str | None] = [line.strip() for line in text.splitlines() if line.strip()]
    if not asked_in_file:
        raise UsageError(f"there is no question in {file}; write one a line")
    return asked_in_file


def _mode(recall: RecallMode | None, evidence: int | None, *, freely: bool) -> RecallMode:
    """
    Args:
        freely: the answer is to be in the model's own words, unless another mode is named.

    Raises:
        UsageError: the options name two modes.
    """
    if evidence is None:
        return recall or usual_mode(freely=freely)
    if recall not in (None, "evidence"):
        raise UsageError(f"--evidence is --recall evidence, got --recall {recall} too; leave one of them out")
    return "evidence"


def _section_note(chosen: int | None, saved: "SavedDocument") -> str:
    if chosen is None:
        return ""
    sections = saved.header().sections
    _, first, last = sections[chosen]
    pages = f"page {first}" if first == last else f"pages {first} to {last}"
    return f"; from section {chosen + 1} of {len(sections)}, {pages}"
