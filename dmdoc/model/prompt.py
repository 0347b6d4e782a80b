"""Prompt files → chat messages: prompts/*.md filled with jinja2; missing variables are named, never blank.

A prompt file is an optional system part, a line `---`, then the user part. A variable that is tested with
`is defined` is optional; every other one must be given. Knows nothing about chat templates or tokens.
"""

from dataclasses import dataclass
from pathlib import Path

import jinja2
from jinja2 import meta, nodes

from dmdoc.errors import UsageError
from dmdoc.settings.generation import Way

SEPARATOR = "---"
"""The line between a prompt's system part and its user part."""

WAY_PROMPTS: dict[Way, str] = {
    "state": "answer",
    "spans": "answer",
    "evidence": "evidence",
    "full": "full",
    "frozen": "answer",
}
"""The built-in prompt of each way of answering."""

_ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)


@dataclass(frozen=True)
class Prompt:
    """A prompt as its file has it, not yet filled.

    Raises:
        UsageError: a part is not a jinja2 template, or the user part is empty.
    """

    name: str
    """The built-in name, or the path of the file."""
    system: str
    """Template of the system message; "" for none."""
    user: str
    """Template of the user message."""

    def __post_init__(self) -> None:
        if not self.user:
            raise UsageError(f"prompt '{self.name}' has no user part; write it below the line {SEPARATOR}")
        self.required_variables()

    def required_variables(self) -> frozenset[str]:
        """The variables that `fill` must be given."""
        required: set[str] = set()
        for part in (self.system, self.user):
            try:
                template = _ENVIRONMENT.parse(part)
            except jinja2.TemplateSyntaxError as error:
                raise UsageError(f"prompt '{self.name}' is not a valid template: {error.message}") from error
            required |= meta.find_undeclared_variables(template) - _optional_variables(template)
        return frozenset(required)

    def uses(self, variable: str) -> bool:
        """Whether a variable stands anywhere in the prompt."""
        parts = (_ENVIRONMENT.parse(part) for part in (self.system, self.user))
        return any(variable in meta.find_undeclared_variables(part) for part in parts)

    def fill(self, **variables: str) -> list[dict[str, str]]:
        """Chat messages, `{"role": ..., "content": ...}`: the system one, if there is one, and the user one.

        Raises:
            UsageError: variables are missing (all of them are named), or the template cannot be filled.
        """
        missing = sorted(self.required_variables() - variables.keys())
        if missing:
            raise UsageError(f"prompt '{self.name}' needs a value for {', '.join(missing)}; give all of them")
        messages = []
        for role, part in (("system", self.system), ("user", self.user)):
            try:
                content = _ENVIRONMENT.from_string(part).render(variables)
            except jinja2.TemplateError as error:
                raise UsageError(f"prompt '{self.name}' cannot be filled: {error.message}") from error
            if content or role == "user":
                messages.append({"role": role, "content": content})
        return messages


def load_prompt(name_or_path: str) -> Prompt:
    """A built-in prompt by name, or a prompt file by path. A file never hides a built-in name.

    Raises:
        UsageError: there is no such prompt or file, or it is not a prompt.
    """
    if name_or_path in list_prompts():
        return _read_prompt(name_or_path, _prompt_folder() / f"{name_or_path}.md")
    path = Path(name_or_path)
    if path.is_file():
        return _read_prompt(name_or_path, path)
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
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the prompt file {path}: {error}") from error
    stripped = [line.strip() for line in lines]
    divide = stripped.index(SEPARATOR) if SEPARATOR in stripped else -1
    system, user = lines[: max(divide, 0)], lines[divide + 1 :]
    return Prompt(name, "\n".join(system).strip(), "\n".join(user).strip())


def _optional_variables(template: nodes.Template) -> set[str]:
    """The variables that the template itself tests with `is defined`."""
    tests = (test.node for test in template.find_all(nodes.Test) if test.name == "defined")
    return {tested.name for tested in tests if isinstance(tested, nodes.Name)}
