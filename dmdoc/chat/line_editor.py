"""One question at a time from a terminal: line editing, history, completion, several lines (prompt_toolkit).

Knows nothing about sessions or commands: it is told what a line could become.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.shortcuts import CompleteStyle

from dmdoc.errors import DmdocError

TAKES_PATH = "/ingest "
"""The beginning of a line whose rest is completed as a path."""


class LineEditor:
    """Reads what the user types; what was typed before is kept in the file `history`, private to the user.

    Args:
        completions: the line so far → the lines that it could become.
        terminal_input, terminal_output: the process's own terminal if None.

    Raises:
        DmdocError: the history cannot be written.
    """

    def __init__(
        self,
        history: Path,
        completions: Callable[[str], tuple[str, ...]],
        *,
        terminal_input: Input | None = None,
        terminal_output: Output | None = None,
    ) -> None:
        try:
            history.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            history.touch(mode=0o600)
        except OSError as error:
            raise DmdocError(
                f"cannot keep the history in {history}: {error.strerror or error}; check the folder"
            ) from error
        self._session: PromptSession[str] = PromptSession(
            history=FileHistory(history),
            completer=_LineCompleter(completions),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            enable_history_search=True,
            key_bindings=_several_lines(),
            prompt_continuation=lambda width, line, wraps: " " * width,
            input=terminal_input,
            # Answers may be going to a file: the prompt stays on the terminal.
            output=terminal_output or create_output(always_prefer_tty=True),
        )

    def read(self, prompt: str) -> str:
        """What the user typed, without the Enter at its end.

        Raises:
            KeyboardInterrupt: Ctrl-C.
            EOFError: Ctrl-D on an empty line.
        """
        return self._session.prompt(FormattedText([("bold", prompt)]))


def _several_lines() -> KeyBindings:
    """Alt-Enter (Escape, then Enter) begins another line, and so does Enter after a backslash."""
    bindings = KeyBindings()

    @bindings.add("escape", "enter")
    def _newline(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @bindings.add("enter")
    def _enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    return bindings


class _LineCompleter(Completer):
    def __init__(self, completions: Callable[[str], tuple[str, ...]]) -> None:
        self._completions = completions
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        if text.startswith(TAKES_PATH):
            path = text.removeprefix(TAKES_PATH).lstrip()
            yield from self._paths.get_completions(Document(path), complete_event)
        else:
            for line in self._completions(text):
                yield Completion(line, start_position=-len(text))
