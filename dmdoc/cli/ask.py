"""`ask` and `chat`: answers from a saved state."""

import sys
from typing import Annotated

import typer

from dmdoc import console
from dmdoc.cli.options import (
    JSON_SCHEMA,
    DocumentOption,
    Drawing,
    JsonOption,
    Machine,
    NameOrCurrentArgument,
    PromptOption,
    named_or_current,
    open_library,
    spread,
)


@spread
def ask(
    question: Annotated[
        str | None, typer.Argument(help="The question; - reads it from standard input.")
    ] = None,
    document: DocumentOption = None,
    prompt: PromptOption = "answer",
    as_json: JsonOption = False,
    *,
    drawing: Drawing,
    machine: Machine,
) -> None:
    """Answer a question from the saved state of a document."""
    from dmdoc.prompt import load_prompt

    settings = drawing.settings()
    asked = sys.stdin.read().strip() if question == "-" else question
    template = load_prompt(prompt)
    if asked is None or not asked.strip():
        template.fill()  # names what is missing, before a model is loaded
        asked = None
    saved = named_or_current(open_library(), document)

    from dmdoc.ask import ask as answer_question
    from dmdoc.ask import load_state

    reader = machine.open_reader(saved)
    answer = answer_question(
        asked,
        reader,
        load_state(saved, reader),
        prompt=template,
        settings=settings,
        on_text=None if as_json else console.write_answer,
    )
    if as_json:
        console.write_json(
            {
                "schema": JSON_SCHEMA,
                "answer": answer.text,
                "document": saved.name,
                "model": reader.backbone.name,
                "adapter": reader.adapter_identity.name,
                "prompt_tokens": answer.prompt_tokens,
                "document_tokens_in_prompt": 0,
                "answer_tokens": answer.answer_tokens,
                "seconds": round(answer.seconds, 3),
            }
        )
        return
    console.write_answer("\n")
    if machine.verbose:
        console.note(
            f"{saved.name}: {answer.prompt_tokens} prompt tokens, none of them the document's; first token after "
            f"{answer.first_token_seconds:.2f} s, {answer.answer_tokens} tokens in {answer.seconds:.2f} s"
        )


@spread
def chat(
    name: NameOrCurrentArgument = None,
    remember: Annotated[
        bool,
        typer.Option("--remember/--no-remember", help="Write finished turns into the session's own state."),
    ] = True,
    *,
    drawing: Drawing,
    machine: Machine,
) -> None:
    """Talk with a document. It remembers the conversation in a state of its own."""
    from dmdoc import repl

    settings = drawing.settings()
    library = open_library()
    saved = named_or_current(library, name) if name is not None or library.names() else None
    reader = machine.open_reader(saved)
    repl.chat(
        reader,
        library,
        saved.name if saved else None,
        remember=remember,
        settings=settings,
        history=library.root / "history",
    )
