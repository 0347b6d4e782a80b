"""`mcp`: the documents as tools of the Model Context Protocol, over standard input and output."""

from pathlib import Path
from typing import Annotated

import typer

from dmdoc.cli.library import record
from dmdoc.cli.options import Machine, open_library, spread
from dmdoc.cli.serve import answer_record_of
from dmdoc.errors import DmdocError


@spread
def mcp(
    root: Annotated[
        list[Path] | None,
        typer.Option("--root", help="Files in this folder may be read; may be given again."),
    ] = None,
    *,
    machine: Machine,
) -> None:
    """Offer the documents as tools to a program that speaks MCP over stdin and stdout."""
    try:
        from dmdoc.serve.engine import Engine
        from dmdoc.serve.tools import tool_server
    except ImportError as error:
        raise DmdocError(f"{error.name} is missing; pip install 'dmdoc[mcp]'") from error
    engine = Engine(open_library(), machine.open_reader)
    engine.start()
    tool_server(engine, answer_record_of, record, tuple(root or ())).run("stdio")
