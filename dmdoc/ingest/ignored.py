"""The files in a folder that somebody means to have read: none that is hidden or that Git ignores, no node_modules.

No symbolic link in it is followed, so that nobody's folder leads to files elsewhere. Rules come from strangers too:
they are bounded, and matched in a time that does not explode with what they say.
"""

import os
import re
import stat
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from dmdoc.errors import UsageError

_NEVER = frozenset(["node_modules"])
_RULES = ".gitignore"

MOST_BYTES = 1 << 17
"""Of a file of rules."""

MOST_WILD = 3
"""Parts of a rule that may each match many folders or names, whose number is the power to which the time grows."""

_STAR, _FOLDERS = "[^/]*", re.compile(r"\.[*+]")
"""What pathspec makes of `*`, and of `**`."""


@dataclass(frozen=True)
class _Rules:
    """The rules that a folder has for what is in it and below."""

    folder: Path
    spec: GitIgnoreSpec

    def ignores(self, path: Path, *, folder: bool) -> bool | None:
        """Whether the rules name a path; None if they say nothing of it."""
        inner = path.relative_to(self.folder).as_posix()
        return self.spec.check_file(f"{inner}/" if folder else inner).include


def files_in(folder: Path, *, ignored: bool = False) -> Iterator[Path]:
    """The files in a folder and below, sorted, but for hidden ones.

    Args:
        ignored: also those that Git ignores, and those in `node_modules`.
    """
    yield from sorted(_walk(folder, () if ignored else _rules_above(folder.absolute()), ignored))


def _walk(folder: Path, rules: Sequence[_Rules], ignored: bool) -> Iterator[Path]:
    waiting = [(folder, tuple(rules))]
    while waiting:
        current, known = waiting.pop()
        if not ignored:
            known = (*known, *_rules_of(current.absolute()))
        try:
            entries = list(os.scandir(current))
        except OSError:
            continue  # it may not be looked into
        for entry in entries:
            path, is_folder = current / entry.name, entry.is_dir(follow_symlinks=False)
            if entry.name.startswith(".") or (not ignored and _is_ignored(path.absolute(), known, is_folder)):
                continue
            if is_folder:
                waiting.append((path, known))
            elif entry.is_file(follow_symlinks=False):
                yield path


def _is_ignored(path: Path, rules: Sequence[_Rules], folder: bool) -> bool:
    """Whether the nearest rules that name a path ignore it."""
    if folder and path.name in _NEVER:
        return True
    said = (each.ignores(path, folder=folder) for each in reversed(rules))
    return next((each for each in said if each is not None), False)


def _rules_above(folder: Path) -> tuple[_Rules, ...]:
    """The rules of the folders above, up to that which is a work tree of Git; none if there is no such."""
    above: list[_Rules] = []
    for parent in (folder, *folder.parents):
        if parent != folder:
            above[:0] = _rules_of(parent)
        if (parent / ".git").exists():
            return tuple(above)
    return ()


def _rules_of(folder: Path) -> tuple[_Rules, ...]:
    """
    Raises:
        UsageError: the rules of the folder are too many, or one is too wild.
    """
    file = folder / _RULES
    try:
        # As Git reads it: no symbolic link, and no pipe that somebody should write to.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with os.fdopen(os.open(file, flags), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                return ()
            content = opened.read(MOST_BYTES + 1)
    except OSError:
        return ()
    if len(content) > MOST_BYTES:
        raise UsageError(f"{file} has more than {MOST_BYTES:,} bytes; no list of what is to be ignored has")
    patterns = [
        pattern for line in content.decode(errors="replace").splitlines() for pattern in _patterns(line, file)
    ]
    return (_Rules(folder, GitIgnoreSpec(patterns, backend="simple")),)


def _patterns(line: str, file: Path) -> Iterator[GitIgnoreSpecPattern]:
    """The rule in a line; none where there is no rule that Git would understand."""
    try:
        with warnings.catch_warnings(action="ignore"):
            found = GitIgnoreSpec.from_lines([line], backend="simple").patterns
    except (ValueError, re.error):
        return
    for pattern in found:
        if pattern.regex is not None:
            pattern.regex = re.compile(_linear(pattern.regex.pattern, line, file))
        yield pattern


def _linear(regex: str, line: str, file: Path) -> str:
    """The regular expression of a rule, matching the same paths: a `*` between others takes the first place that fits,
    which is the only one that matters.

    Raises:
        UsageError: too much of it can only be tried out.
    """
    first, *others = regex.split(_STAR)
    wild, pieces = len(_FOLDERS.findall(regex)), [first]
    for piece in others[:-1]:
        tried = _FOLDERS.search(piece) is not None
        pieces.append(f"{_STAR}{piece}" if tried else f"(?>[^/]*?{piece})")
        wild += tried
    if wild > MOST_WILD:
        raise UsageError(
            f"the rule {line.strip()[:80]!r} in {file} has too many ** to be followed; shorten it"
        )
    return "".join([*pieces, *(_STAR + piece for piece in others[-1:])])
