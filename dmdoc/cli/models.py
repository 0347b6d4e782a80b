"""`models`: the known backbones and adapters, and fetching one."""

from typing import Annotated

import typer

from dmdoc import console
from dmdoc.cli.options import environment
from dmdoc.console.tables import models_table
from dmdoc.settings.folders import cache_folder

app = typer.Typer(help="List the models and adapters that dmdoc knows.", invoke_without_command=True)


@app.callback()
def list_models(context: typer.Context) -> None:
    """List the models and adapters that dmdoc knows, and which are on this disk."""
    if context.invoked_subcommand is None:
        from dmdoc.model import registry as models

        models_table(models.status(cache_folder(environment())))


@app.command()
def pull(name: Annotated[str, typer.Argument(help="A known name, or ORG/NAME on the Hub.")]) -> None:
    """Fetch a model, and its adapter."""
    from dmdoc.model import registry as models

    for folder in models.pull(name, cache_folder(environment()), note=console.note):
        console.note(f"{name}: {folder}")
