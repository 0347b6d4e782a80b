"""`config`: every setting, and where its value comes from."""

import os
from collections.abc import Iterator

import typer

from dmdoc import console
from dmdoc.cli.options import (
    JSON_SCHEMA,
    BudgetOption,
    Drawing,
    JsonOption,
    Machine,
    PromptOption,
    RefineOption,
    environment,
    settings_from_files,
    spread,
)
from dmdoc.console.tables import settings_table
from dmdoc.settings.files import KINDS
from dmdoc.settings.folders import cache_folder, data_folder


@spread
def config(
    context: typer.Context,
    prompt: PromptOption = "answer",
    budget: BudgetOption = None,
    refine: RefineOption = 0,
    as_json: JsonOption = False,
    *,
    drawing: Drawing,
    machine: Machine,
) -> None:
    """Show every setting and where its value comes from."""
    rows = list(_settings(context))
    if as_json:
        settings = {name: {"value": value, "source": source} for name, value, source in rows}
        console.write_json({"schema": JSON_SCHEMA, "settings": settings})
    else:
        settings_table(rows)


def _settings(context: typer.Context) -> Iterator[tuple[str, object, str]]:
    """(name, value, source): what typer made of the options of this very command is what it makes of any other's."""
    from_files = settings_from_files()
    folders = {"home": data_folder(environment()), "cache": cache_folder(environment())}
    for name in KINDS:
        variable = f"DMDOC_{name.upper()}"
        given = context.get_parameter_source(name)
        if given is not None and given.name == "COMMANDLINE":
            source = "option"
        elif os.environ.get(variable):
            source = variable
        else:
            source = str(from_files[name].file) if name in from_files else "default"
        yield name, str(folders[name]) if name in folders else context.params[name], source
