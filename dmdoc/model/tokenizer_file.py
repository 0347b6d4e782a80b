"""A model's tokenizer and chat template, from the files in its folder. The template is run in a sandbox."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmdoc.errors import BackboneError

if TYPE_CHECKING:
    from jinja2 import Environment
    from tokenizers import Tokenizer

_NAMED = ("bos_token", "eos_token", "pad_token", "unk_token")


@dataclass(frozen=True)
class TokenizerFile:
    """What is in the files: read by `read_tokenizer`."""

    backend_tokenizer: "Tokenizer"
    chat_template: str | dict[str, str] | None
    """Of several by name, that called "default" is used."""
    named_tokens: dict[str, str] = field(default_factory=dict)
    """What a template may say by name, such as `bos_token`."""

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        return str(self.backend_tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        tokenize: bool = False,
        add_generation_prompt: bool = False,
        **variables: Any,
    ) -> str:
        """The conversation as text, which is all that `tokenize` may ask for.

        Raises:
            ValueError: there is no template.
            jinja2.TemplateError: it refuses the conversation, or is none.
        """
        assert not tokenize
        template = self.chat_template
        if isinstance(template, dict):
            template = template.get("default")
        if not template:
            raise ValueError("there is no chat template")
        variables |= {"messages": messages, "add_generation_prompt": add_generation_prompt}
        return str(_compiled(template).render(self.named_tokens | variables))


def read_tokenizer(folder: Path) -> TokenizerFile:
    """
    Raises:
        BackboneError: there is no tokenizer.json, or a file is damaged.
    """
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise BackboneError(f"{folder} is not a model: no tokenizer.json in it")
    try:
        backend = Tokenizer.from_file(str(path))
        beside = folder / "tokenizer_config.json"
        config = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
        template = _template(folder, config)
        named = {name: _content(config[name]) for name in _NAMED if config.get(name)}
    except Exception as error:  # what the tokenizers library raises for a file that it cannot parse
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise BackboneError(f"cannot read the tokenizer in {folder}: {first}") from error
    # A file may ask for a length of its authors'; here a text has the tokens that it has.
    backend.no_truncation()
    backend.no_padding()
    return TokenizerFile(backend, template, named)


def _template(folder: Path, config: Mapping[str, Any]) -> str | dict[str, str] | None:
    """From its own file, else from where older models have it."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    given = config.get("chat_template")
    if isinstance(given, list):
        return {str(each["name"]): str(each["template"]) for each in given}
    return None if given is None else str(given)


def _content(token: Any) -> str:
    return str(token["content"] if isinstance(token, dict) else token)


@cache
def _compiled(template: str) -> Any:
    return _environment().from_string(template)


@cache
def _environment() -> "Environment":
    """What published chat templates expect to find; a template reaches nothing else."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks what the model said, for training; here it stands for its content."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> list[nodes.Node]:
            next(parser.stream)
            return list(parser.parse_statements(("name:endgeneration",), drop_needle=True))

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation]
    )
    environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment
