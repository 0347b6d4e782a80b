"""The files in a folder that somebody means to have read: none that is hidden or that Git ignores, no node_modules."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

_NEVER = frozenset(["node_modules"])
_RULES = ".gitignore"


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
            elif path.is_file():
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
    try:
        lines = (folder / _RULES).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return (_Rules(folder, GitIgnoreSpec.from_lines(lines)),)
