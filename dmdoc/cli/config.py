"""`config`: every setting, and where its value comes from."""

import os
from collections.abc import Iterator
from typing import Annotated, Literal

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
    project_file,
    project_settings,
    settings_from_files,
    spread,
    trust,
)
from dmdoc.console.tables import settings_table
from dmdoc.errors import UsageError
from dmdoc.settings.files import KINDS
from dmdoc.settings.folders import cache_folder, data_folder


@spread
def config(
    context: typer.Context,
    action: Annotated[
        Literal["trust"] | None,
        typer.Argument(help="trust: let the settings file of this folder, as it now is, set anything."),
    ] = None,
    prompt: PromptOption = "answer",
    budget: BudgetOption = None,
    refine: RefineOption = 0,
    as_json: JsonOption = False,
    *,
    drawing: Drawing,
    machine: Machine,
) -> None:
    """Show every setting and where its value comes from."""
    if action == "trust":
        _trust()
        return
    warn_of_what_is_ignored()
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


def warn_of_what_is_ignored() -> None:
    """Say what of the project's settings file does not count."""
    found, file = project_settings(), project_file()
    trusting = "run `dmdoc config trust` here if you trust it"
    if found.foreign:
        console.warn(f"{file} belongs to another user and is ignored; {trusting}")
    elif found.refused:
        console.warn(f"what {file} sets as {', '.join(found.refused)} is ignored; {trusting}")


def _trust() -> None:
    """
    Raises:
        UsageError: there is no settings file in this folder, or it is wrong.
    """
    file, content = project_file(), project_settings().content
    if content is None:
        raise UsageError(f"there is no {file}; nothing in this folder needs your trust")
    trust().add(file, content)
    found = project_settings().settings
    console.note(f"{file} is trusted as it is now; it sets {', '.join(found) or 'nothing'}")
