"""Text of others as a terminal may have it: what would move the cursor, colour or turn the line is shown instead.

Names, sources, questions, answers, passages, settings and messages of libraries all come from outside. None is ever
read as markup either: `stderr` and `stdout_console` are the only consoles, and both read none.
"""

import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

# Control characters but tab and line end; embeddings, overrides and isolates of direction; halves of surrogate pairs.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_ENDS = re.compile("[\t\n\u2028\u2029]")


def visible(text: str) -> str:
    """Lines of text: control characters as `^[`, others that no terminal should be sent as `\\u202e`."""
    return _HIDDEN.sub(_shown, text)


def printable(text: str) -> str:
    """One line, whatever a file is called: line ends and tabs are shown too."""
    if text.isascii() and text.isprintable():
        return text  # as nearly every cell of a long table
    return _LINE_ENDS.sub(_escaped, visible(text))


def stderr() -> "Console":
    """Where everything goes that is not data."""
    from rich.console import Console

    return Console(stderr=True, markup=False, emoji=False, highlight=False)


def stdout_console() -> "Console":
    """Where tables go."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False)


def replace_what_cannot_be_shown() -> None:
    """From now on a character that the encoding of standard output or error lacks is replaced, and no error."""
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if reconfigure := getattr(stream, "reconfigure", None):  # another program's stream may have none
            reconfigure(errors=errors)


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"^{chr(code ^ 0x40)}" if code < 0x20 or code == 0x7F else _escaped(found)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
