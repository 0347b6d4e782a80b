"""The commands of an interactive session, "/help" to "/quit": each takes its argument and gives a Reply.

Knows nothing about terminals or how a Reply is shown.
"""

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import get_args

from dmdoc.chat.preferences import Preferences
from dmdoc.chat.session import ChatSession
from dmdoc.console.progress import progress as show_progress
from dmdoc.document import IsolatedReader, is_url
from dmdoc.errors import UsageError
from dmdoc.ingest.single import ingest
from dmdoc.library.library import Library
from dmdoc.library.shelf import Damaged
from dmdoc.model.prompt import RecallMode
from dmdoc.text.counting import counted

RECALL_MODES: tuple[RecallMode, ...] = get_args(RecallMode)


@dataclass(frozen=True)
class Reply:
    """What a line leads to, besides the answer that is streamed."""

    text: str = ""
    """What to print; "" for nothing."""
    error: bool = False
    leave: bool = False
    interrupted: bool = False
    """The user stopped what the line asked for."""


@dataclass
class Context:
    """What the commands work on."""

    session: ChatSession
    library: Library
    preferences: Preferences = field(default_factory=Preferences)
    finds: bool = False
    """Each question is put to the saved document that it is about."""
    answers_twice: bool = False
    """Every question is answered from the state and by the frozen backbone."""


@dataclass(frozen=True)
class Command:
    """A command as `/help` shows it, and what it does."""

    name: str
    argument: str
    """What it needs after its name; "" for nothing."""
    help: str
    run: Callable[[Context, str], Reply]


def run_command(line: str, context: Context) -> Reply:
    """Run the command that `line` begins with.

    Raises:
        UsageError: there is no such command, or its argument is missing or too much.
        DmdocError: what the command itself cannot do.
    """
    name, argument = [*line.split(maxsplit=1), ""][:2]
    command = next((command for command in COMMANDS if command.name == name), None)
    if command is None:
        close = difflib.get_close_matches(name, [command.name for command in COMMANDS], n=1)
        guess = f"did you mean {close[0]}? " if close else ""
        raise UsageError(f"there is no command {name}; {guess}/help lists them")
    if bool(argument) != bool(command.argument):
        takes = f"needs {command.argument}" if command.argument else f"takes nothing, got {argument!r}"
        raise UsageError(f"{name} {takes}; /help says what it does")
    return command.run(context, argument)


def completions(text: str, library: Library) -> tuple[str, ...]:
    """The lines that `text` could become: commands, and arguments of those that take one of a few."""
    if text.startswith("/use "):
        lines = [f"/use {name}" for name in library.names()]
    elif text.startswith("/recall "):
        lines = [f"/recall {mode}" for mode in RECALL_MODES]
    elif text.startswith("/"):
        lines = [command.name for command in COMMANDS]
    else:
        lines = []
    return tuple(line for line in lines if line.startswith(text))


def _help(context: Context, _: str) -> Reply:
    calls = [f"{command.name} {command.argument}".strip() for command in COMMANDS]
    width = max(map(len, calls))
    lines = [f"{call:{width}}  {command.help}" for call, command in zip(calls, COMMANDS, strict=True)]
    return Reply("\n".join([*lines, *KEYS]))


def _docs(context: Context, _: str) -> Reply:
    documents = context.library.survey()
    if not documents:
        return Reply("the library is empty: /ingest FILE reads a document")
    used = context.session.stats().document
    width = max(len(saved.name) for saved in documents)
    lines = []
    for saved in documents:
        mark = "*" if saved.name == used else " "
        pages = "damaged" if isinstance(saved, Damaged) else counted(saved.page_count, "page")
        lines.append(f"{mark} {saved.name:{width}}  {pages}")
    return Reply("\n".join(lines))


def _use(context: Context, name: str) -> Reply:
    saved = context.library.get(name)
    reply = Reply(_switched(context.session, lambda: context.session.use(saved)))
    context.finds = False  # one is named
    return reply


def _ingest(context: Context, file: str) -> Reply:
    file = _unquoted(file)
    if is_url(file):
        raise UsageError(
            "/ingest reads files; `dmdoc ingest URL` reads what is on the web, then /use NAME asks it"
        )
    # An absolute path, because "-" would be the standard input that the questions come from.
    with IsolatedReader() as opened:
        document = opened.read(os.path.abspath(os.path.expanduser(file)))
    with show_progress(document.name) as progress:
        result = ingest(document, context.session.reader, context.library, progress=progress)
    switched = _switched(context.session, lambda: context.session.use(result.document))
    context.finds = False
    return Reply("\n".join([*result.warnings, f"{result.status}: {switched}"]))


def _unquoted(file: str) -> str:
    """A name that was quoted as for a shell, because it has blanks, without its quotes."""
    quoted = len(file) > 2 and file[0] == file[-1] and file[0] in "\"'"
    return file[1:-1] if quoted else file


def _stats(context: Context, _: str) -> Reply:
    stats = context.session.stats()
    document = "none" if stats.document is None else f"{stats.document}, {stats.document_tokens:,} tokens"
    turns = f"{stats.turns} remembered, {stats.turn_tokens:,} tokens"
    lines = [
        f"document  {document}",
        f"turns     {turns if context.session.remember else 'not remembered'}",
        f"states    {stats.sections:,}, {stats.state_numbers:,} numbers, {stats.state_bytes:,} bytes",
    ]
    if (last := stats.last_answer) is not None:
        tokens = (
            f"{counted(last.prompt_tokens, 'prompt token')}, {counted(last.answer_tokens, 'answer token')}"
        )
        lines.append(f"answer    {tokens}, {last.seconds:.2f} s")
    return Reply("\n".join(lines))


def _save(context: Context, name: str) -> Reply:
    saved = context.session.save(context.library, name)
    return Reply(f"saved as {saved.name}; the session goes on with {context.session.stats().document}")


def _forget(context: Context, _: str) -> Reply:
    return Reply(_switched(context.session, context.session.forget))


def _recall(context: Context, name: str) -> Reply:
    mode = next((mode for mode in RECALL_MODES if mode == name), None)
    if mode is None:
        raise UsageError(f"/recall takes one of {', '.join(RECALL_MODES)}, got {name!r}")
    if context.answers_twice:
        raise UsageError(
            "every question is answered from the state and by the frozen model; first say /ab off"
        )
    context.session.mode = mode
    return Reply(f"answers come from: {mode}")


def _ab(context: Context, switch: str) -> Reply:
    if switch not in ("on", "off", "report"):
        raise UsageError(f"/ab takes on, off or report, got {switch!r}")
    if switch == "report":
        return Reply(context.preferences.report() or "no question has been answered twice; /ab on begins")
    context.answers_twice = switch == "on"
    if context.answers_twice:
        return Reply(
            "every question gets two answers, a and b: from the state and by the frozen model, in any order"
        )
    return Reply(f"answers come from: {context.session.mode}")


def _prefer(context: Context, label: str) -> Reply:
    return Reply(f"preferred: {label}, which is from: {context.preferences.prefer(label)}")


def _quit(context: Context, _: str) -> Reply:
    return Reply(leave=True)


def _switched(session: ChatSession, change: Callable[[], None]) -> str:
    """Change the document or go back to it; says what the session is now and what was lost."""
    turns = session.stats().turns
    change()
    stats = session.stats()
    read = "nothing is read"
    if stats.document is not None:
        read = f"{stats.document}, {stats.document_tokens:,} tokens read"
    return f"{read}; {counted(turns, 'turn')} forgotten" if turns else read


COMMANDS = (
    Command("/help", "", "list the commands", _help),
    Command("/docs", "", "list the saved documents; * is the one in use", _docs),
    Command("/use", "NAME", "talk with one saved document alone", _use),
    Command("/ingest", "FILE", "read a document and talk with it", _ingest),
    Command("/stats", "", "what the session has read, and what the last answer took", _stats),
    Command("/save", "NAME", "keep the document and what was said as a document of its own", _save),
    Command("/forget", "", "forget what was said; the document stays", _forget),
    Command(
        "/recall",
        "MODE",
        f"what to answer from: {', '.join(RECALL_MODES[:-1])} or {RECALL_MODES[-1]}",
        _recall,
    ),
    Command("/ab", "on|off|report", "two answers to every question, from the state and without it", _ab),
    Command("/prefer", "a|b", "which of the last two answers is the better one", _prefer),
    Command("/quit", "", "leave", _quit),
)

KEYS = (
    "Anything else is a question. Alt-Enter, or a backslash at the end of a line, begins another line.",
    "Tab completes; Ctrl-C stops an answer or drops the line; Ctrl-D leaves.",
)
