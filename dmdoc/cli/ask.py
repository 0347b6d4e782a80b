"""`ask`: one answer about a saved document."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from dmdoc import console
from dmdoc.cli.options import (
    JSON_SCHEMA,
    CitationsOption,
    DocumentOption,
    Drawing,
    JsonOption,
    Machine,
    PromptOption,
    named_or_current,
    open_library,
    spread,
)
from dmdoc.console import answers
from dmdoc.errors import UsageError
from dmdoc.settings import EVIDENCE_PASSAGES, Way

if TYPE_CHECKING:
    from dmdoc.evidence import Passage
    from dmdoc.reader import Reader
    from dmdoc.recall import Recalled
    from dmdoc.saved_document import SavedDocument

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
    document: DocumentOption = None,
    recall: Annotated[
        Way | None,
        typer.Option("--recall", help="What to answer from: the state, unless told."),
    ] = None,
    evidence: Annotated[
        int | None,
        typer.Option(
            "--evidence",
            metavar="[=N]",
            min=1,
            max=MOST_PASSAGES,
            help=f"Put the N best passages of the text into the prompt; {EVIDENCE_PASSAGES} without N.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Give no answer (exit code 4) that the state does not support.")
    ] = False,
    citations: CitationsOption = True,
    prompt: PromptOption = None,
    as_json: JsonOption = False,
    *,
    drawing: Drawing,
    machine: Machine,
) -> None:
    """Answer a question from the saved state of a document."""
    from dmdoc.prompt import WAY_PROMPTS, load_prompt

    settings = drawing.settings()
    way = _way(recall, evidence)
    asked = sys.stdin.read().strip() if question == "-" else question
    template = load_prompt(prompt or WAY_PROMPTS[way])
    if asked is None or not asked.strip():
        template.fill(document="")  # names what is missing, before a model is loaded
        asked = None
    saved = named_or_current(open_library(), document)

    from dmdoc.ask import load_state
    from dmdoc.recall import check_support, check_that_support_is_known, cite
    from dmdoc.recall import recall as answer_question

    reader = machine.open_reader(saved)
    if strict:
        check_that_support_is_known(way, reader)
    streams = not as_json and not strict
    recalled = answer_question(
        asked,
        reader,
        load_state(saved, reader),
        saved.pages,
        settings=settings,
        way=way,
        prompt=template,
        most=evidence or EVIDENCE_PASSAGES,
        on_text=console.write_answer if streams else None,
    )
    if strict:
        check_support(recalled, reader)
    found = cite(asked, recalled, saved.pages) if citations else recalled.evidence
    if as_json:
        console.write_json(_record(recalled, found, saved, reader))
        return
    console.write_answer("\n" if streams else f"{recalled.answer.text}\n")
    # What the model was shown of the text is never kept quiet.
    if not machine.quiet or recalled.document_tokens:
        console.note(answers.origin(recalled))
    if not machine.quiet and citations:
        for line in answers.citations(found):
            console.note(line)
    if machine.verbose:
        answer = recalled.answer
        console.note(
            f"{saved.name}: {answer.prompt_tokens} prompt tokens, {recalled.document_tokens or 'none'} of them the "
            f"document's; first token after {answer.first_token_seconds:.2f} s, "
            f"{answer.answer_tokens} tokens in {answer.seconds:.2f} s{_section_note(answer.section, saved)}"
        )


def _way(recall: Way | None, evidence: int | None) -> Way:
    """
    Raises:
        UsageError: the options name two ways.
    """
    if evidence is None:
        return recall or "state"
    if recall not in (None, "evidence"):
        raise UsageError(f"--evidence is --recall evidence, got --recall {recall} too; leave one of them out")
    return "evidence"


def _section_note(chosen: int | None, saved: "SavedDocument") -> str:
    if chosen is None:
        return ""
    sections = saved.header().sections
    _, first, last = sections[chosen]
    return f"; from section {chosen + 1} of {len(sections)}, pages {first} to {last}"


def _record(
    recalled: "Recalled", found: "Sequence[Passage]", saved: "SavedDocument", reader: "Reader"
) -> dict[str, Any]:
    answer, support, sections = recalled.answer, recalled.support, saved.header().sections
    pages = None if answer.section is None else sections[answer.section][1:]
    return {
        "schema": JSON_SCHEMA,
        "answer": answer.text,
        "document": saved.name,
        "section": None if answer.section is None else answer.section + 1,
        "sections": len(sections),
        "section_pages": pages,
        "model": reader.backbone.name,
        "adapter": reader.adapter_identity.name,
        "recall": recalled.way,
        "lift": None if support is None else round(support.lift, 4),
        "log_likelihood": None if support is None else round(support.log_likelihood, 4),
        "supported": recalled.supported,
        "citations": [asdict(passage) for passage in found],
        "prompt_tokens": answer.prompt_tokens,
        "document_tokens_in_prompt": recalled.document_tokens,
        "answer_tokens": answer.answer_tokens,
        "seconds": round(answer.seconds, 3),
    }
