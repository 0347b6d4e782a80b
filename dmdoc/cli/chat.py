"""`chat`: an interactive session over a saved document."""

from typing import Annotated

import typer

from dmdoc.cli.options import (
    CitationsOption,
    Drawing,
    ServedMachine,
    complete_name,
    named_or_current,
    open_library,
    spread,
)


@spread
def chat(
    name: Annotated[
        str | None,
        typer.Argument(
            autocompletion=complete_name, help="The saved document. Without it, each question finds its own."
        ),
    ] = None,
    remember: Annotated[
        bool,
        typer.Option("--remember/--no-remember", help="Remember the conversation, in a state of its own."),
    ] = True,
    citations: CitationsOption = True,
    *,
    drawing: Drawing,
    machine: ServedMachine,
) -> None:
    """Talk with a document, or with all: each question finds its own. `/help` lists what can be typed."""
    from dmdoc.chat import repl

    settings = drawing.settings()
    library = open_library()
    saved = named_or_current(library, name) if name is not None or library.names() else None
    reader = machine.open_reader(saved)
    repl.chat(
        reader,
        library,
        saved.name if saved else None,
        remember=remember,
        citations=citations,
        finds=name is None,
        settings=settings,
        history=library.root / "history",
    )
