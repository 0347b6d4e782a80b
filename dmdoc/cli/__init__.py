"""The command line: parse, call the library, print. Each module holds related commands.

Only typer is imported at the top, so that `--help` is instant; torch comes with the first command that needs it.
May import: errors, settings, text, document, datasets, memory, model, library, ingest, answer, training,
compare, console, chat, serve.
Knows nothing about how anything is done.
"""

import gc
import io
import logging
import os
import sys
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup
from typer.exceptions import TyperException

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
    mcp,
    models,
    serve,
    train,
    unforeseen,
    verify,
)
from dmdoc.cli.options import settings_from_files
from dmdoc.console.visible import printable, replace_what_cannot_be_shown, visible
from dmdoc.errors import (
    EXIT_INTERRUPTED,
    EXIT_UNFORESEEN,
    DamagedError,
    DmdocError,
    IdentityError,
    StateFileError,
)

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
app.command()(verify.verify)
app.command()(handing_over.export)
app.command("import")(handing_over.install)
app.command()(serve.serve)
app.command()(mcp.mcp)
app.command()(compare.compare)
app.command()(train.train)
app.command()(calibrate.calibrate)
app.command()(config.config)
app.add_typer(models.app, name="models")


_INTERRUPTED = {
    "ingest": "interrupted; what is saved stays saved, and the same command goes on where it was",
    "train": "interrupted; the same command with --resume goes on from the last checkpoint",
}
"""What is said of a command that Ctrl-C ended; of any other only that it was."""


@dataclass
class Running:
    """What is running, for whoever has to tell how it ended."""

    command: str = ""
    debug: bool = False


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
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    _no_server: Annotated[  # as that of the commands, which are not handed over unless they stand first
        bool, typer.Option("--no-server", hidden=True)
    ] = False,
) -> None:
    running = context.ensure_object(Running)
    running.command, running.debug = context.invoked_subcommand or "", debug
    assert isinstance(context.command, TyperGroup)
    values = {name: setting.value for name, setting in settings_from_files().items()}
    if context.invoked_subcommand != "config":  # which is about just that
        config.warn_of_what_is_ignored()
    context.default_map = dict.fromkeys(context.command.list_commands(context), values)


_OPTIONS: dict[type[DmdocError], str] = {
    IdentityError: " (--model and --adapter name them; `dmdoc ingest --force FILE` reads it again)",
    DamagedError: " (`dmdoc verify --repair NAME` rebuilds what it can)",
    StateFileError: " (`dmdoc ingest --force FILE` reads it again)",
}
"""How the command line does what the library advises, which knows no options."""


@cache
def command() -> Any:
    """The command line, built once: a server runs many commands."""
    return typer.main.get_command(app)


def main() -> None:
    """Run the command line; every error becomes one line on stderr and an exit code (errors.py)."""
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
    running = Running()
    try:
        code = command()(prog_name="dmdoc", standalone_mode=False, obj=running)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except Exception as failure:
        code = _tell(failure, running)
    if code == EXIT_INTERRUPTED:
        console.note(_INTERRUPTED.get(running.command, "interrupted"))
    sys.exit(code if isinstance(code, int) else 0)


def _tell(failure: Exception, running: Running) -> int:
    """Say in one line what went wrong; returns the exit code."""
    if isinstance(failure, BrokenPipeError):  # nobody reads the output any more, and nobody minds
        console.give_up_stdout()
        return 1
    if isinstance(failure, TyperException):  # what the command line says is no command
        said = io.StringIO()
        failure.show(file=said)  # type: ignore[attr-defined]
        sys.stderr.write(visible(said.getvalue()))
        if option := getattr(failure, "option_name", None):
            for word in [word for word in sys.argv[1:] if word.startswith(option) and os.path.exists(word)]:
                console.note(f"for the file {printable(word)} write {printable(f'./{word}')}")
        return int(getattr(failure, "exit_code", 2))
    if running.debug:
        unforeseen.show(failure)
    if isinstance(failure, DmdocError):
        options = next((words for kind, words in _OPTIONS.items() if isinstance(failure, kind)), "")
        console.error(f"{failure}{options}")
        return failure.exit_code
    if isinstance(failure, OSError) and unforeseen.is_about_stdout(failure):
        console.give_up_stdout()
        console.error(f"cannot write to standard output: {failure.strerror or failure}")
        return DmdocError.exit_code
    if unforeseen.is_lack_of_memory(failure):
        console.error(
            "there is not enough memory to go on; close other programs, or raise the limit on memory"
        )
        return DmdocError.exit_code
    unforeseen.tell(failure, running.command)
    return EXIT_UNFORESEEN
