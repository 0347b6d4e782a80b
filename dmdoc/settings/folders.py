"""Where dmdoc keeps its data, its cache and its settings, as pure functions of an environment.

Knows nothing about what lies in those folders and creates none of them; the CLI passes `os.environ`.
"""

from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_data_path

from dmdoc.errors import UsageError


def data_folder(environ: Mapping[str, str]) -> Path:
    """The library's root: DMDOC_HOME, else XDG_DATA_HOME/dmdoc, else the platform's own place for data."""
    return _named(environ, "DMDOC_HOME", "XDG_DATA_HOME") or user_data_path("dmdoc", appauthor=False)


def cache_folder(environ: Mapping[str, str]) -> Path:
    """What can be fetched again: DMDOC_CACHE, else XDG_CACHE_HOME/dmdoc, else the platform's own place."""
    return _named(environ, "DMDOC_CACHE", "XDG_CACHE_HOME") or user_cache_path("dmdoc", appauthor=False)


def config_folder(environ: Mapping[str, str]) -> Path:
    """The user's settings: DMDOC_CONFIG, else XDG_CONFIG_HOME/dmdoc, else the platform's own place."""
    return _named(environ, "DMDOC_CONFIG", "XDG_CONFIG_HOME") or user_config_path("dmdoc", appauthor=False)


def expanded(path: str, where: str) -> Path:
    """A path with its `~` or `~user` written out; `where` says what names it.

    Raises:
        UsageError: there is no such user, or the path is none.
    """
    if "\0" in path:
        raise UsageError(f"{where} names {path!r}, which is not a path")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{where} names {path!r}, and there is no such user") from error


def runtime_folder(environ: Mapping[str, str]) -> Path:
    """Sockets of running servers: XDG_RUNTIME_DIR/dmdoc, else a folder of the cache."""
    return _named(environ, "DMDOC_RUNTIME", "XDG_RUNTIME_DIR") or cache_folder(environ) / "run"


def _named(environ: Mapping[str, str], own: str, xdg: str) -> Path | None:
    """The folder that one of the two variables names; a variable that is set to nothing counts as unset."""
    if environ.get(own):
        return expanded(environ[own], own)
    # XDG base directory specification: all paths must be absolute, relative ones are to be ignored.
    if environ.get(xdg) and Path(environ[xdg]).is_absolute():
        return Path(environ[xdg]) / "dmdoc"
    return None
