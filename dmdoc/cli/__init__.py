"""The command line: parse, call the library, print. Each module holds related commands.

Only typer is imported at the top, so that `--help` is instant; torch comes with the first command that needs it.
May import: errors, settings, text, document, datasets, memory, model, library, ingest, answer, training,
compare, console, chat.
Knows nothing about how anything is done.
"""

import gc
import logging
import os
import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from dmdoc import __version__, console
from dmdoc.cli import (
    ask,
    calibrate,
    chat,
    compare,
    config,
    extract,
    handing_over,
    ingest,
    library,
    models,
    train,
)
from dmdoc.cli.options import settings_from_files
from dmdoc.console.visible import replace_what_cannot_be_shown
from dmdoc.errors import EXIT_INTERRUPTED, DmdocError

app = typer.Typer(
    help="Read a document once into a δ-mem state, then ask it questions without sending it again.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich would double the time of --help
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(ingest.ingest)
app.command()(extract.extract)
app.command(cls=ask.AskCommand)(ask.ask)
app.command()(chat.chat)
app.command("ls")(library.list_documents)
app.command()(library.show)
app.command()(library.rename)
app.command()(library.tag)
app.command("rm")(library.remove)
app.command()(handing_over.verify)
app.command()(handing_over.export)
app.command("import")(handing_over.install)
app.command()(compare.compare)
app.command()(train.train)
app.command()(calibrate.calibrate)
app.command()(config.config)
app.add_typer(models.app, name="models")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dmdoc {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    assert isinstance(context.command, TyperGroup)
    values = {name: setting.value for name, setting in settings_from_files().items()}
    context.default_map = dict.fromkeys(context.command.list_commands(context), values)


def main() -> None:
    """Run the command line; every expected error becomes one line on stderr and its exit code."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by a shell or a service
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
    replace_what_cannot_be_shown()
    # Importing torch and transformers makes a million objects that stay: with the usual threshold the collector spends
    # a tenth of that time on looking through them.
    gc.set_threshold(100_000)
    # Damage that a reader of documents can read around is not worth a line; what it cannot raises.
    for name in ("pypdf", "trafilatura"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        app(prog_name="dmdoc")
    except DmdocError as failure:
        console.error(str(failure))
        sys.exit(failure.exit_code)
    except SystemExit as leaving:
        if leaving.code == EXIT_INTERRUPTED:
            console.note("interrupted; what is saved stays saved, and an ingest goes on where it was")
        raise
