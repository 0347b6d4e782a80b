"""Write docs/commands.md: the help text of every command, as `dmdoc COMMAND --help` prints it."""

import sys
from pathlib import Path
from typing import Any

import typer.main

from dmdoc import cli

PAGE = Path(__file__).parent / "commands.md"
WIDTH = 100
HEAD = """# Commands

Every command with its options, as `dmdoc COMMAND --help` prints them. `make docs` writes this page; edit the help texts
in `dmdoc/cli/` instead.
"""


def commands_page() -> str:
    """The page as it should be now."""
    return HEAD + "".join(_sections(typer.main.get_command(cli.app), "dmdoc", None))


def _sections(command: Any, name: str, parent: Any) -> list[str]:
    """A section for a command, and after it one for each command below it."""
    context = command.context_class(
        command,
        info_name=name,
        parent=parent,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    found = [f"\n## {context.command_path}\n\n```text\n{text}\n```\n"]
    for below, each in getattr(command, "commands", {}).items():
        found += _sections(each, below, context)
    return found


if __name__ == "__main__":
    PAGE.write_text(commands_page(), encoding="utf-8")
    print(f"wrote {PAGE}", file=sys.stderr)
