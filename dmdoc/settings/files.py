"""Settings from TOML files: the project's `.dmdoc.toml` goes before the user's `config.toml`.

Knows which settings there are and of which kind; what they mean, and that an option or a DMDOC_* variable goes
before a file, is the command line's affair.
"""

import difflib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmdoc.errors import UsageError

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


@dataclass(frozen=True)
class FileSetting:
    """A value, and the file that it stands in."""

    value: str | bool | int | float
    file: Path


def read_settings(files: Sequence[Path]) -> dict[str, FileSetting]:
    """What the files set; where several set the same, the first one counts. A missing file sets nothing.

    Raises:
        UsageError: a file is unreadable or not TOML, or sets what is no setting or what is of another kind.
    """
    found: dict[str, FileSetting] = {}
    for file in reversed(files):
        found |= _read(file)
    return found


def _read(file: Path) -> dict[str, FileSetting]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}; check its permissions") from error
    except ValueError as error:
        raise UsageError(f"{file} is not TOML: {error}; correct it or remove it") from error
    return {name: FileSetting(_checked(name, value, file), file) for name, value in values.items()}


def _checked(name: str, value: Any, file: Path) -> str | bool | int | float:
    if name not in KINDS:
        close = difflib.get_close_matches(name, KINDS, n=1)
        guess = f"did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"{file} sets {name}, which is no setting; {guess}the settings are {', '.join(KINDS)}"
        )
    kind = KINDS[name]
    accepted = {Path: (str,), float: (int, float)}.get(kind, (kind,))
    if type(value) in accepted:  # and not isinstance, for which true is a whole number
        return str(file.parent / Path(str(value)).expanduser()) if kind is Path else value
    raise UsageError(f"{file}: {name} must be {_IN_TOML[KINDS[name]]}, got {value!r}")
