"""Everything that is printed: answers on stdout; progress, notes, tables and errors on stderr.

Colour and animation are for terminals only; rich honours NO_COLOR.
May import: errors, progress, text, memory, model, library, ingest, answer, compare.
Knows nothing about how anything was found out.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from dmdoc.console.visible import printable, stderr, visible
from dmdoc.errors import DmdocError
from dmdoc.text.counting import counted

if TYPE_CHECKING:
    from dmdoc.ingest.single import IngestResult


def write_answer(text: str) -> None:
    """A piece of an answer, as it comes."""
    _write(visible(text))


def write_json(value: dict[str, Any]) -> None:
    """One object on one line of stdout, exactly; what UTF-8 or the stream's encoding cannot hold is escaped."""
    line = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()
    try:
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        line = json.dumps(value)
    _write(f"{line}\n")


def _write(text: str) -> None:
    with stdout() as out:
        out.write(text)
        out.flush()


def error(message: str) -> None:
    """What went wrong, in one line."""
    _headed("error:", "bold red", message)


def warn(message: str) -> None:
    """What may go wrong, in one line."""
    _headed("warning:", "yellow", message)


def _headed(heading: str, style: str, message: str) -> None:
    from rich.text import Text

    stderr().print(Text.assemble((heading, style), " ", printable(message)), soft_wrap=True)


def note(message: str) -> None:
    """Something worth knowing that is neither the answer nor a problem."""
    console = stderr()
    # On a terminal lines end between words; elsewhere a note is a line, however long.
    console.print(visible(message), style="dim", soft_wrap=not console.is_terminal)


def is_terminal() -> bool:
    """Whether a person reads the notes."""
    return stderr().is_terminal


def waiting(name: str, holder: int | None) -> None:
    """Whom a command waits for before it changes a document."""
    who = "another process" if holder is None else f"process {holder}"
    what = "the library" if name.startswith(".") else name
    note(f"{what}: waiting for {who}, which is changing it")


def ingest_summary(result: "IngestResult") -> None:
    """What an ingest did, in one line, after its warnings."""
    for warning in result.warnings:
        warn(warning)
    name, pages = result.document.name, result.document.page_count
    if result.status == "unchanged":
        note(f"{name}: unchanged, already read ({result.tokens:,} tokens); --force reads it again")
        return
    steps = result.refine_steps
    refined = f", refined in {counted(steps, 'step')}" if steps else ""
    note(
        f"{name}: {result.status}, {counted(pages, 'page')}, {result.tokens:,} tokens "
        f"in {counted(result.sections, 'section')}{refined}, "
        f"{result.seconds:.1f} s, state {result.state_bytes / 1024:.0f} KB"
    )


@contextmanager
def stdout() -> Iterator[TextIO]:
    """Where data goes.

    Raises:
        DmdocError: it cannot be written.
        BrokenPipeError: nobody reads it any more; the command ends quietly.
    """
    try:
        yield sys.stdout
    except BrokenPipeError:
        raise
    except OSError as error:
        give_up_stdout()
        raise DmdocError(
            f"cannot write to standard output: {error.strerror or error}; what it has is not complete"
        ) from error


def give_up_stdout() -> None:
    """Throw away what standard output still holds: it would be tried again at the end, and complained about."""
    with suppress(OSError, ValueError):  # no file of the system stands behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
