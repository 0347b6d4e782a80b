"""Settings from TOML files: the project's `.dmdoc.toml` goes before the user's `config.toml`.

Knows which settings there are and of which kind; what they mean, and that an option or a DMDOC_* variable goes
before a file, is the command line's affair.
"""

import difflib
import os
import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmdoc.errors import UsageError
from dmdoc.settings.folders import expanded
from dmdoc.settings.trust import Trust

PROJECT_FILE = ".dmdoc.toml"
USER_FILE = "config.toml"

KINDS: dict[str, type] = {
    "home": Path,
    "cache": Path,
    "model": str,
    "adapter": str,
    "device": str,
    "offline": bool,
    "prompt": str,
    "max_tokens": int,
    "temperature": float,
    "top_p": float,
    "seed": int,
    "budget": int,
    "refine": int,
}
"""Every setting and its kind. A path is relative to the folder of the file that it stands in."""

_IN_TOML = {
    Path: "the path of a folder",
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


HARMLESS = frozenset({"max_tokens", "temperature", "top_p", "seed", "budget", "refine"})
"""What the file of a folder may set whoever wrote it: it chooses no model, no code and no place on the disk."""

BELOW = frozenset({"home", "prompt"})
"""What it may set where it names something in that folder or below it, symbolic links followed."""

MOST_BYTES = 1 << 20
"""Of a settings file."""


@dataclass(frozen=True)
class FileSetting:
    """A value, and the file that it stands in."""

    value: str | bool | int | float
    file: Path


@dataclass(frozen=True)
class ProjectSettings:
    """What a project file sets, and what of it does not count."""

    settings: dict[str, FileSetting]
    refused: tuple[str, ...] = ()
    """Settings that count once the user trusts the file."""
    foreign: bool = False
    """The file is another user's, so that nothing of it counts before that."""
    content: bytes | None = None
    """The file; None where there is none."""


def read_settings(file: Path) -> dict[str, FileSetting]:
    """What a file of the user's own sets. A missing file sets nothing.

    Raises:
        UsageError: the file is unreadable or not TOML, or sets what is no setting or what is of another kind.
    """
    content, _ = _content(file)
    return {} if content is None else _parsed(file, content)


def read_project(file: Path, trust: Trust) -> ProjectSettings:
    """What the file of a folder sets: anything where the user trusts it, else only what is harmless.

    Raises:
        UsageError: as `read_settings`; never for a file of another user's.
    """
    content, owner = _content(file)
    if content is None:
        return ProjectSettings({})
    trusted = trust.covers(file, content)
    if owner is not None and owner != os.getuid() and not trusted:
        return ProjectSettings({}, foreign=True, content=content)
    found = _parsed(file, content)
    refused = () if trusted else tuple(name for name, each in found.items() if not _is_harmless(name, each))
    kept = {name: each for name, each in found.items() if name not in refused}
    return ProjectSettings(kept, refused, content=content)


def _is_harmless(name: str, setting: FileSetting) -> bool:
    if name in HARMLESS:
        return True
    value, folder = str(setting.value), setting.file.parent
    if name == "prompt" and re.fullmatch(r"[a-z]+", value):
        return True  # a built-in one, which no file hides
    if name not in BELOW or value.startswith("~"):
        return False
    try:
        return (folder / value).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # symbolic links in a circle
        return False


def _content(file: Path) -> tuple[bytes | None, int | None]:
    """The bytes of a file and who owns it; None for what is missing, or where files have no owner."""
    try:
        # Not waiting for somebody to write, should it be a pipe.
        with os.fdopen(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as opened:
            about = os.fstat(opened.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise UsageError(f"{file} is not a file; remove it")
            owner = about.st_uid if hasattr(os, "getuid") else None
            content = opened.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}; check its permissions") from error
    if len(content) > MOST_BYTES:
        raise UsageError(f"{file} has more than {MOST_BYTES:,} bytes; no settings file has")
    return content, owner


def _parsed(file: Path, content: bytes) -> dict[str, FileSetting]:
    try:
        values = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:
        raise UsageError(f"{file} is not TOML: {error}; correct it or remove it") from error
    except RecursionError as error:
        raise UsageError(f"{file} is nested too deeply; correct it or remove it") from error
    return {name: FileSetting(_checked(name, value, file), file) for name, value in values.items()}


def _checked(name: str, value: Any, file: Path) -> str | bool | int | float:
    if name not in KINDS:
        close = difflib.get_close_matches(name, KINDS, n=1)
        guess = f"did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"{file} sets {name}, which is not a setting; {guess}the settings are {', '.join(KINDS)}"
        )
    kind = KINDS[name]
    accepted = {Path: (str,), float: (int, float)}.get(kind, (kind,))
    # type and not isinstance, for which true is a whole number; no path and no name has a NUL.
    if type(value) not in accepted or "\0" in str(value):
        raise UsageError(f"{file}: {name} must be {_IN_TOML[KINDS[name]]}, got {value!r}")
    return str(file.parent / expanded(value, f"{file}: {name}")) if kind is Path else value
