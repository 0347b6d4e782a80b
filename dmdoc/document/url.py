"""Sources that are URLs, and how any source is written: absolute, and always the same. Knows nothing about networks."""

import os
import re
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import unquote, urlsplit, urlunsplit

STDIN = "-"
"""The source that stands for standard input."""

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{0,9}", re.IGNORECASE)
"""What ends a file's name; `2401.01234` ends in a number."""


def is_url(source: str) -> bool:
    """Whether a source is a URL, of whichever kind."""
    return _URL.match(source) is not None


def full_source(source: str) -> str:
    """The absolute path of a file; standard input as it is, and a URL without the place in the page that it names."""
    if source == STDIN:
        return source
    if not is_url(source):
        return os.path.abspath(source)
    try:
        parts = urlsplit(source)
    except ValueError:
        return source  # it cannot be fetched either
    return urlunsplit(parts._replace(netloc=parts.netloc.lower(), path=parts.path or "/", fragment=""))


def file_name(url: str) -> str:
    """What the page at a URL would be called as a file; that of a whole site is its host."""
    parts = urlsplit(url)
    return PurePosixPath(unquote(parts.path)).name or parts.netloc


def bare_source(source: str) -> str:
    """What a source is called where nobody is to know the machine: the name of its file."""
    if is_url(source):
        return file_name(source)
    return source if source == STDIN else PurePath(source).name


def suffix_of(url: str) -> str:
    """How the name of that file ends: in lower case, with the dot; "" if it has no suffix."""
    suffix = PurePosixPath(unquote(urlsplit(url).path)).suffix
    return suffix.lower() if _SUFFIX.fullmatch(suffix) else ""


def title(source: str) -> str:
    """What a document is called after its source: the name of the file, without the suffix."""
    if not is_url(source):
        return Path(source).stem
    name, suffix = file_name(source), suffix_of(source)
    return name[: len(name) - len(suffix)]
