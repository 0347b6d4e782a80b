"""Prompt files → chat messages: prompts/*.md with blanks such as `{{ question }}`; missing ones are named, never empty.

A prompt file is an optional system part, a line `---`, then the user part. A line with `{{ question? }}` is left out
where nothing is given for it; every other blank must be given. A prompt may be a stranger's: it has blanks and nothing
else, no expressions, and what fills one is never read as a blank. Knows nothing about chat templates or tokens.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dmdoc.errors import UsageError

SEPARATOR = "---"
"""The line between a prompt's system part and its user part."""

MOST_BYTES = 1 << 20
"""Of a prompt file."""

RecallMode = Literal["state", "spans", "evidence", "full", "frozen"]
"""How a question is answered: what the model has of the document."""

MODE_PROMPTS: dict[RecallMode, str] = {
    "state": "answer",
    "spans": "answer",
    "evidence": "evidence",
    "full": "full",
    "frozen": "answer",
}
"""The built-in prompt of each recall mode."""


def usual_mode(*, freely: bool) -> RecallMode:
    """From what a question is answered unless it is told: from phrases, or the answer is in the model's own words."""
    return "state" if freely else "spans"


_BLANK = re.compile(r"\{\{[ \t]*([A-Za-z_]\w*)(\??)[ \t]*\}\}", re.ASCII)
_OPENING = re.compile(r"\{[{%#]")


@dataclass(frozen=True)
class Prompt:
    """A prompt as its file has it, not yet filled.

    Raises:
        UsageError: a part has something in braces that is no blank, or the user part is empty.
    """

    name: str
    """The built-in name, or the path of the file."""
    system: str
    """The system message with its blanks; "" for none."""
    user: str
    """The user message with its blanks."""

    def __post_init__(self) -> None:
        if not self.user:
            raise UsageError(f"prompt '{self.name}' has no user part; write it below the line {SEPARATOR}")
        for part in (self.system, self.user):
            rest = _BLANK.sub(" ", part)
            if wrong := _OPENING.search(rest):
                line = rest[wrong.start() :].splitlines()[0][:40]
                raise UsageError(
                    f"prompt '{self.name}' has {line!r}; a prompt has blanks such as {{{{ question }}}}, "
                    "or {{ question? }} in a line that may be left out, and nothing else in such braces"
                )

    def required_variables(self) -> frozenset[str]:
        """The blanks that `fill` must be given."""
        return frozenset(name for name, optional in self._blanks() if not optional)

    def uses(self, variable: str) -> bool:
        """Whether a blank stands anywhere in the prompt."""
        return any(name == variable for name, _ in self._blanks())

    def fill(self, **variables: str) -> list[dict[str, str]]:
        """Chat messages, `{"role": ..., "content": ...}`: the system one, if there is one, and the user one.

        Raises:
            UsageError: blanks are missing (all of them are named).
        """
        missing = sorted(self.required_variables() - variables.keys())
        if missing:
            raise UsageError(f"prompt '{self.name}' needs a value for {', '.join(missing)}; give all of them")
        messages = []
        for role, part in (("system", self.system), ("user", self.user)):
            content = _filled(part, variables)
            if content or role == "user":
                messages.append({"role": role, "content": content})
        return messages

    def _blanks(self) -> list[tuple[str, str]]:
        """Name and "?" or "" of every blank."""
        return [found for part in (self.system, self.user) for found in _BLANK.findall(part)]


def _filled(part: str, variables: dict[str, str]) -> str:
    lines = [
        _BLANK.sub(lambda blank: variables[blank[1]], line)
        for line in part.split("\n")
        if all(name in variables for name, _ in _BLANK.findall(line))
    ]
    return "\n".join(lines)


def load_prompt(name_or_path: str) -> Prompt:
    """A built-in prompt by name, or a prompt file by path. A file never hides a built-in name.

    Raises:
        UsageError: there is no such prompt or file, or it is not a prompt.
    """
    if name_or_path in list_prompts():
        return _read_prompt(name_or_path, _prompt_folder() / f"{name_or_path}.md")
    if os.path.isfile(name_or_path):
        return _read_prompt(name_or_path, Path(name_or_path))
    names = ", ".join(list_prompts())
    raise UsageError(f"no such prompt: {name_or_path}; give the path of a prompt file, or one of {names}")


def list_prompts() -> tuple[str, ...]:
    """The names of the built-in prompts, sorted."""
    return tuple(sorted(path.stem for path in _prompt_folder().glob("*.md")))


def _prompt_folder() -> Path:
    """In an installed package `prompts` is part of it; in the repository it stands beside it."""
    package = Path(__file__).parents[1]
    installed = package / "prompts"
    return installed if installed.is_dir() else package.parent / "prompts"


def _read_prompt(name: str, path: Path) -> Prompt:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        lines = content.decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the prompt file {path}: {error}") from error
    if len(content) > MOST_BYTES:
        raise UsageError(f"the prompt file {path} has more than {MOST_BYTES:,} bytes; shorten it")
    stripped = [line.strip() for line in lines]
    divide = stripped.index(SEPARATOR) if SEPARATOR in stripped else -1
    system, user = lines[: max(divide, 0)], lines[divide + 1 :]
    return Prompt(name, "\n".join(system).strip(), "\n".join(user).strip())
