"""`ingest --sync` and `--watch`: folders and the library in step, once or until Ctrl-C."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from dmdoc import console
from dmdoc.cli.options import JSON_SCHEMA
from dmdoc.errors import DmdocError, PartialFailureError, UsageError

if TYPE_CHECKING:
    from dmdoc.document import Document
    from dmdoc.ingest.sync import Differences
    from dmdoc.library.library import Library


@dataclass(frozen=True)
class Following:
    """The options that say how a library follows folders."""

    sync: Annotated[
        bool,
        typer.Option(
            "--sync",
            help="Read only files that are new or changed, and follow those that were moved or renamed.",
        ),
    ] = False
    prune: Annotated[
        bool, typer.Option("--prune", help="With --sync: remove documents whose file is gone; asks first.")
    ] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before removing.")] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --sync: say what would be done, and do nothing.")
    ] = False
    watch: Annotated[
        bool, typer.Option("--watch", help="Sync, then go on with every change until Ctrl-C.")
    ] = False

    @property
    def on(self) -> bool:
        return self.sync or self.watch

    def check(self, paths: Sequence[str]) -> None:
        """
        Raises:
            UsageError: these options cannot work together, or with these paths.
        """
        if not self.on and (self.prune or self.dry_run or self.yes):
            raise UsageError("--prune, --dry-run and --yes belong to --sync; give it too")
        if not self.on:
            return
        if self.watch and self.dry_run:
            raise UsageError("--dry-run looks once, --watch does not end; leave one of them out")
        others = [path for path in paths if not os.path.isdir(path)]
        if others or not paths:
            what = f"got {others[0]!r}" if others else "got none"
            raise UsageError(f"--sync and --watch keep folders in step, {what}; give folders")
        if self.prune and not (self.yes or self.dry_run or sys.stdin.isatty()):
            raise UsageError(
                "--prune asks before it removes documents, and nobody can answer here; give --yes too"
            )


@dataclass(frozen=True)
class Follower:
    """Keeps the library in step with folders."""

    following: Following
    folders: Sequence[str]
    library: "Library"
    files: Callable[[], list[str]]
    """The files in the folders that are to be read, now."""
    read: Callable[[str], "Document"]
    ingest: Callable[[Sequence[str]], int]
    """Reads and saves files, tells of each, and returns how many failed."""
    write_json: Callable[[dict[str, object]], None] | None = None
    """Called with a record of each thing that was done beside `ingest`; None where nobody wants them."""
    quiet: bool = False

    def run(self) -> None:
        """
        Raises:
            PartialFailureError: some files could not be read, or some documents not be changed.
        """
        if self.following.watch:
            self._watch()
        elif failed := self._step(self.files()):
            raise PartialFailureError(f"{failed} files failed; the others are in step")

    def _watch(self) -> None:
        from watchfiles import watch

        first = True
        try:
            # It tells of nothing after its first moments, too: what changes while all is read is not lost.
            for changes in watch(
                *self.folders, debounce=400, step=100, rust_timeout=500, yield_on_timeout=True
            ):
                touched = {path for _, path in changes}
                if first:
                    self._step(self.files())
                    if not self.quiet:
                        console.note(f"watching {', '.join(self.folders)}; stop with Ctrl-C")
                elif touched:
                    self._step([file for file in self.files() if _is_in(file, touched)])
                first = False
        except KeyboardInterrupt:
            pass  # this is how watching ends

    def _step(self, files: Sequence[str]) -> int:
        """Bring the library in step with these files, and with what is gone; how many of them failed."""
        from dmdoc.ingest.sync import differences

        found = differences(files, self.folders, self.library, self.read)
        if self.following.dry_run:
            self._announce(found)
            return len(found.failed)
        for file, error in found.failed.items():
            console.error(f"failed: {error}")
            self._record({"source": os.path.abspath(file), "status": "failed", "error": str(error)})
        failed = len(found.failed) + self._follow(found)
        if found.to_read:
            failed += self.ingest(found.to_read)
        if found.gone:
            self._prune(found)
        if not found.any and not self.following.watch and not self.quiet:
            console.note(f"in step: {found.unchanged} documents are unchanged")
        return failed

    def _follow(self, found: "Differences") -> int:
        from dmdoc.ingest.sync import follow

        failed = 0
        for move in found.moved:
            try:
                saved = follow(move, self.library)
            except DmdocError as error:
                failed += 1
                console.error(f"failed: {error}")
                continue
            self._tell(f"{saved.name}: moved to {move.source}", saved.name, "moved", move.source)
        return failed

    def _prune(self, found: "Differences") -> None:
        names = [saved.name for saved in found.gone]
        if not self.following.prune:
            if not self.quiet:
                console.note(f"their files are gone: {', '.join(names)}; --prune removes these documents")
            return
        if not self.following.yes:
            for saved in found.gone:
                console.note(f"{saved.name}: {saved.source} is gone")
            if not typer.confirm(f"Remove {len(names)} documents?", err=True):
                return
        self.library.remove(*names)
        for saved in found.gone:
            self._tell(f"{saved.name}: removed, its file is gone", saved.name, "removed", saved.source)

    def _announce(self, found: "Differences") -> None:
        for file in found.added:
            self._would(file, None, "added", f"would add {file}")
        for file in found.changed:
            self._would(file, None, "updated", f"would read again {file}")
        for move in found.moved:
            name = move.saved.name
            self._would(move.source, name, "moved", f"would move {name} to {move.source}")
        for saved in found.gone:
            does = "would remove" if self.following.prune else "would keep, without --prune,"
            status = "removed" if self.following.prune else "gone"
            self._would(saved.source, saved.name, status, f"{does} {saved.name}: {saved.source} is gone")
        for error in found.failed.values():
            console.error(f"would fail: {error}")
        if not found.any:
            console.note(f"in step: {found.unchanged} documents are unchanged")

    def _would(self, source: str, name: str | None, status: str, line: str) -> None:
        if self.write_json is None:
            console.write_answer(f"{line}\n")
        known: dict[str, object] = {"document": name} if name else {}
        self._record({**known, "source": os.path.abspath(source), "status": status, "dry_run": True})

    def _tell(self, line: str, name: str, status: str, source: str) -> None:
        if not self.quiet:
            console.note(line)
        self._record({"document": name, "status": status, "source": source})

    def _record(self, record: dict[str, object]) -> None:
        if self.write_json is not None:
            self.write_json({"schema": JSON_SCHEMA, **record})


def _is_in(file: str, touched: Iterable[str]) -> bool:
    """Whether a file, or a folder that it lies in, is among those that something happened to."""
    path, places = os.path.abspath(file), set(touched)
    while path not in places:
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above
    return True
