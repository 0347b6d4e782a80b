"""Options that several commands share, and what the commands make of them.

Options that always come together are a dataclass; a command names it as one parameter and `spread` makes an option
of each field. A setting comes from its option, else from its DMDOC_* variable, else from a settings file, else from
the default. Knows nothing about any one command.
"""

import inspect
import os
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dmdoc import console
from dmdoc.errors import DmdocError, IdentityError
from dmdoc.settings.files import (
    PROJECT_FILE,
    USER_FILE,
    FileSetting,
    ProjectSettings,
    read_project,
    read_settings,
)
from dmdoc.settings.folders import cache_folder, config_folder, data_folder
from dmdoc.settings.trust import Trust

if TYPE_CHECKING:
    from dmdoc.library.library import Library
    from dmdoc.library.saved_document import SavedDocument
    from dmdoc.model.familiar import FamiliarModels
    from dmdoc.model.reader import Reader
    from dmdoc.settings.generation import GenerationSettings

JSON_SCHEMA = 1
"""Version of every JSON object that commands print."""

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        envvar="DMDOC_MODEL",
        help="The model: a known name, a folder, or ORG/NAME on the Hub.",
    ),
]
AdapterOption = Annotated[
    str | None,
    typer.Option(
        "--adapter",
        "-a",
        envvar="DMDOC_ADAPTER",
        help="Its δ-mem adapter: a known name, a folder, or ORG/NAME.",
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", envvar="DMDOC_DEVICE", help="Where to compute: auto, cpu, cuda or cuda:N.")
]
OfflineOption = Annotated[bool, typer.Option("--offline", envvar="DMDOC_OFFLINE", help="Use no network.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print more: what runs where, and how long it takes.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only answers, warnings and errors.")]
MaxTokensOption = Annotated[
    int, typer.Option("--max-tokens", envvar="DMDOC_MAX_TOKENS", help="The longest answer, in tokens.")
]
TemperatureOption = Annotated[
    float,
    typer.Option(
        "--temperature",
        "-t",
        envvar="DMDOC_TEMPERATURE",
        help="0 takes the likeliest token each time; higher varies more.",
    ),
]
TopPOption = Annotated[
    float,
    typer.Option(
        "--top-p",
        envvar="DMDOC_TOP_P",
        help="Draw only from the likeliest tokens that make up this probability.",
    ),
]
SeedOption = Annotated[
    int, typer.Option("--seed", envvar="DMDOC_SEED", help="Seed of the draw, for temperatures above 0.")
]
PromptOption = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        "-p",
        envvar="DMDOC_PROMPT",
        help="A built-in prompt (answer, summarise, list) or a prompt file.",
    ),
]
CitationsOption = Annotated[
    bool,
    typer.Option(
        "--citations/--no-citations", help="Show the passages of the text that speak of the answer."
    ),
]
FileArgument = Annotated[
    str,
    typer.Argument(help="A document in any format that docs/formats.md lists; - reads standard input."),
]
RefineOption = Annotated[
    int,
    typer.Option(
        "--refine",
        metavar="STEPS",
        envvar="DMDOC_REFINE",
        help="Let each section's state practise for this many steps: slower to read, better to ask.",
    ),
]
BudgetOption = Annotated[
    int | None, typer.Option("--budget", envvar="DMDOC_BUDGET", help="The longest section, in tokens.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JsonLinesOption = Annotated[
    bool, typer.Option("--jsonl", help="Print one JSON object a line, each as soon as it is there.")
]


def trust() -> Trust:
    """What the user trusts."""
    return Trust(config_folder(os.environ))


def project_file() -> Path:
    """Where the settings of the current folder would be."""
    return Path(PROJECT_FILE).absolute()


def project_settings() -> ProjectSettings:
    """What the project's settings file sets.

    Raises:
        UsageError: as `read_project`.
    """
    return read_project(project_file(), trust())


def settings_from_files() -> dict[str, FileSetting]:
    """What the project's and the user's settings files set.

    Raises:
        UsageError: as `read_settings`.
    """
    return read_settings(config_folder(os.environ) / USER_FILE) | project_settings().settings


def environment() -> Mapping[str, str]:
    """The environment, with the folders that settings files name where it names none itself."""
    from_files = {name: setting.value for name, setting in settings_from_files().items()}
    folders = {
        f"DMDOC_{name.upper()}": str(from_files[name]) for name in ("home", "cache") if name in from_files
    }
    return ChainMap({name: value for name, value in os.environ.items() if value}, folders)


def open_library() -> "Library":
    """The saved documents, with nothing left of commands that were killed."""
    from dmdoc.library.library import Library

    library = Library(data_folder(environment()), on_wait=console.waiting)
    library.tidy()
    return library


def named_or_current(library: "Library", name: str | None) -> "SavedDocument":
    """
    Raises:
        DocumentNotFoundError: there is no such document, or none is current.
    """
    return library.current() if name is None else library.get(name)


def complete_name(incomplete: str) -> list[str]:
    """The saved documents whose names begin so; none where the library cannot be read."""
    try:
        return [name for name in open_library().names() if name.startswith(incomplete)]
    except DmdocError:
        return []


DocumentOption = Annotated[
    str | None,
    typer.Option(
        "--document",
        "-d",
        autocompletion=complete_name,
        help="The saved document. Without it, the one read last.",
    ),
]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", help="Give it this tag, such as `contracts`. May be repeated.")
]
NameArgument = Annotated[str, typer.Argument(autocompletion=complete_name, help="The saved document.")]
NameOrCurrentArgument = Annotated[
    str | None,
    typer.Argument(autocompletion=complete_name, help="The saved document. Without it, the one read last."),
]


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """A command for typer: each parameter that is a dataclass becomes one option for each of its fields."""
    signature = inspect.signature(command)
    groups = {name: each.annotation for name, each in signature.parameters.items()}
    groups = {name: group for name, group in groups.items() if is_dataclass(group)}
    options: list[inspect.Parameter] = []
    for name, each in signature.parameters.items():
        options += inspect.signature(groups[name]).parameters.values() if name in groups else [each]

    @wraps(command)
    def run(**values: object) -> None:
        for name, group in groups.items():
            values[name] = group(
                **{option.name: values.pop(option.name) for option in fields(group) if option.init}
            )
        command(**values)

    run.__annotations__ = {option.name: option.annotation for option in options}
    keywords = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in options]
    run.__signature__ = signature.replace(parameters=keywords)  # type: ignore[attr-defined]
    return run


def _familiar() -> "FamiliarModels":
    from dmdoc.model.familiar import FamiliarModels

    return FamiliarModels(config_folder(os.environ), cache_folder(environment()))


@dataclass(frozen=True)
class Machine:
    """The options that say what runs and where, and how much is said about it."""

    model: ModelOption = None
    adapter: AdapterOption = None
    device: DeviceOption = "auto"
    offline: OfflineOption = False
    verbose: VerboseOption = False
    quiet: QuietOption = False
    _opened: "dict[tuple[str | None, str | None], Reader]" = field(default_factory=dict, init=False)

    def open_reader(self, saved: "SavedDocument | None" = None) -> "Reader":
        """The reader of the options, or the one that wrote `saved`; each is loaded once.

        Raises:
            IdentityError: what wrote `saved` is not named by the options and has never been used here.
        """
        model, adapter = self.model, self.adapter
        if saved is not None and model is None:
            model, adapter = self._writers_of(saved)
        if (model, adapter) not in self._opened:
            self._opened[model, adapter] = self._load(model, adapter)
        return self._opened[model, adapter]

    def _writers_of(self, saved: "SavedDocument") -> tuple[str, str]:
        """The model and the adapter that wrote `saved`, as they are called here; the user's adapter goes before it.

        Raises:
            IdentityError: one of them has never been used here, and a document must not choose what is loaded.
        """
        header, familiar = saved.header(), _familiar()
        model = familiar.name_of(header.backbone, "backbone")
        adapter = self.adapter or familiar.name_of(header.adapter, "adapter")
        if model is None or adapter is None:
            named = f"--model {model or header.backbone.name} --adapter {adapter or header.adapter.name}"
            raise IdentityError(
                f"{saved.name!r} was written with {header.backbone} and {header.adapter}, which have not been used "
                f"here; if you trust them, name them once: `dmdoc ask -d {saved.name} {named} …`"
            )
        return model, adapter

    def _load(self, model: str | None, adapter: str | None) -> "Reader":
        from dmdoc.model.backbone import describe
        from dmdoc.model.reader import open_reader

        reader = open_reader(
            model,
            adapter,
            cache=cache_folder(environment()),
            device=self.device,
            offline=self.offline,
            note=None if self.quiet else console.note,
        )
        familiar = _familiar()
        try:
            familiar.note(reader.backbone.identity, "backbone")
            familiar.note(reader.adapter_identity, "adapter")
        except DmdocError as error:
            console.warn(str(error))
        if self.verbose:
            console.note(f"{describe(reader.backbone)}; adapter {reader.adapter_identity.name}")
        return reader


@dataclass(frozen=True)
class ServedMachine(Machine):
    """The same of a command that a running server carries out, if there is one."""

    no_server: Annotated[  # read in dmdoc/serve/handover.py, before anything large is imported
        bool, typer.Option("--no-server", help="Do it here, although `dmdoc serve` runs.")
    ] = False


@dataclass(frozen=True)
class Drawing:
    """The options that say how an answer is drawn."""

    max_tokens: MaxTokensOption = 256
    temperature: TemperatureOption = 0.0
    top_p: TopPOption = 1.0
    seed: SeedOption = 0

    def settings(self) -> "GenerationSettings":
        """
        Raises:
            UsageError: a value that cannot be used.
        """
        from dmdoc.settings.generation import GenerationSettings

        return GenerationSettings(self.max_tokens, self.temperature, self.top_p, self.seed)
