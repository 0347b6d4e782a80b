"""`ingest`: files into saved states."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dmdoc import console
from dmdoc.cli.options import (
    JSON_SCHEMA,
    BudgetOption,
    JsonLinesOption,
    JsonOption,
    Machine,
    RefineOption,
    ServedMachine,
    TagOption,
    open_library,
    spread,
)
from dmdoc.cli.reading import Reading, SourceReader
from dmdoc.cli.sharing import Sharing
from dmdoc.cli.sync import Follower, Following
from dmdoc.console.progress import progress
from dmdoc.errors import PartialFailureError, UsageError

if TYPE_CHECKING:
    from dmdoc.document import Document
    from dmdoc.ingest.many import Outcome
    from dmdoc.library.library import Library


@dataclass(frozen=True)
class Selection:
    """The options that say which files are read."""

    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE...",
            help="Documents in any format that docs/formats.md lists, folders of them, and http(s) URLs; - reads "
            "standard input.",
        ),
    ] = None
    glob: Annotated[
        list[str] | None,
        typer.Option("--glob", help="In folders, read only files like '*.md'. May be repeated."),
    ] = None
    no_ignore: Annotated[
        bool,
        typer.Option("--no-ignore", help="In folders, read what Git ignores and node_modules, too."),
    ] = False
    files_from: Annotated[
        str | None,
        typer.Option(
            "--files-from", metavar="FILE", help="Read the files that are listed in FILE (or -), one a line."
        ),
    ] = None
    null: Annotated[
        bool,
        typer.Option("--null", "-0", help="The list has NUL between its files, as `find -print0` writes it."),
    ] = False

    def sources(self) -> list[str]:
        """The files, each once.

        Raises:
            UsageError: the list cannot be read.
        """
        from dmdoc.document import STDIN
        from dmdoc.ingest.sources import expand, listed_files

        if not self.files and self.files_from is None:
            raise typer.BadParameter("give files or folders, or --files-from")
        if self.files_from == STDIN and STDIN in (self.files or ()):
            raise UsageError("standard input is either the list of files or a document, not both")
        listed: list[str] = []
        try:
            if self.files_from == STDIN:
                listed = listed_files(sys.stdin.buffer.read(), null=self.null)
            elif self.files_from is not None:
                listed = listed_files(Path(self.files_from).read_bytes(), null=self.null)
        except OSError as error:
            raise UsageError(f"cannot read {self.files_from}: {error.strerror or error}") from error
        return expand([*(self.files or ()), *listed], self.glob or (), ignored=self.no_ignore)


@dataclass(frozen=True)
class Writing:
    """The options that say how a document is written."""

    budget: BudgetOption = None
    refine: RefineOption = 0
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Read it again, even if it is saved already.")
    ] = False


@spread
def ingest(
    *,
    selection: Selection,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Save it under this name.")] = None,
    tag: TagOption = None,
    reading: Reading,
    writing: Writing,
    following: Following,
    sharing: Sharing,
    as_json: JsonOption = False,
    as_jsonl: JsonLinesOption = False,
    machine: ServedMachine,
) -> None:
    """Read documents once, and save their states."""
    from dmdoc.document import check_tag

    following.check(selection.files or ())
    sources, library = selection.sources(), open_library()
    single = len(sources) == 1 and not following.on
    if not single and (name or as_json):
        raise UsageError(
            f"--name and --json are for one document, got {len(sources)}; use --jsonl for several"
        )
    for each in tag or ():
        check_tag(each)
    with reading.open() as opened:
        source_reader = SourceReader(
            opened, reading, machine, None if writing.force else library, name, single
        )
        extract = source_reader.read
        as_lines = console.write_json if as_json or as_jsonl else None
        run = _Run(extract, library, writing, sharing, tuple(tag or ()), machine, as_lines)
        if following.on:
            Follower(
                following,
                selection.files or (),
                library,
                selection.sources,
                extract,
                run.ingest,
                as_lines,
                machine.quiet,
            ).run()
            return
        if not sources:
            console.note("there is no file to read in what was given")
            return
        # A folder and a list are many files, however many they hold: the same script gets the same exit codes.
        alone = as_json or (single and selection.files == sources and not as_jsonl)
        if alone:
            document = extract(sources[0])  # what cannot be read is told before a model is loaded for it
            run = replace(run, extract=lambda _: document)
        failed = run.ingest(sources, named=name is not None, alone=alone)
        if failed:
            others = "the others are saved" if failed < len(sources) else "none is saved"
            raise PartialFailureError(f"{failed} of {len(sources)} files failed; {others}")


@dataclass(frozen=True)
class _Run:
    """One run of the command: how files are read and written, and how each is told of."""

    extract: "Callable[[str], Document]"
    library: "Library"
    writing: Writing
    sharing: Sharing
    tags: tuple[str, ...]
    machine: Machine
    write_json: Callable[[dict[str, Any]], None] | None

    def ingest(self, sources: Sequence[str], *, named: bool = False, alone: bool = False) -> int:
        """Read and save files; how many failed.

        Args:
            named: the documents have the names that the user gave.
            alone: it is one file, and its failure is the command's.
        """
        failed = 0
        for outcome in self._outcomes(sources, named):
            if outcome.error is not None and alone:
                raise outcome.error
            failed += outcome.error is not None
            _tell(outcome, quiet=self.machine.quiet)
            if self.write_json is not None:
                self.write_json(_record(outcome, self.writing))
        return failed

    def _outcomes(self, sources: Sequence[str], named: bool) -> "Iterator[Outcome]":
        from dmdoc.ingest.many import ingest_many
        from dmdoc.ingest.room import room_for
        from dmdoc.ingest.sources import Names

        budget, steps, force = self.writing.budget, self.writing.refine, self.writing.force
        names = Names(self.library)
        read = self.extract if named else lambda source: names.named(self.extract(source))
        writers = self.sharing.writers(self.machine, budget=budget, refine_steps=steps)
        if writers is not None:
            from dmdoc.ingest.share import share_out

            return share_out(sources, read, writers, self.library, tags=self.tags, force=force)
        reader = self.machine.open_reader()
        room = room_for(reader, steps, budget)
        if self.machine.verbose or (room.lowered and not self.machine.quiet):
            console.note(room.line)
        return ingest_many(
            sources,
            read,
            reader,
            self.library,
            budget=budget,
            refine_steps=steps,
            tags=self.tags,
            force=force,
            room=room,
            show_progress=lambda name: progress(name, quiet=self.machine.quiet),
        )


def _tell(outcome: "Outcome", *, quiet: bool) -> None:
    """The line of status of a file."""
    if outcome.error is not None:
        console.error(f"failed: {outcome.error}")
    elif outcome.result is not None and not quiet:
        console.ingest_summary(outcome.result)


def _record(outcome: "Outcome", writing: Writing) -> dict[str, Any]:
    from dmdoc.document import full_source

    result = outcome.result
    if result is None:
        source = full_source(outcome.source)
        return {"schema": JSON_SCHEMA, "source": source, "status": "failed", "error": str(outcome.error)}
    return {
        "schema": JSON_SCHEMA,
        "document": result.document.name,
        "status": result.status,
        "source": result.document.source,
        "pages": result.document.page_count,
        "tokens": result.tokens,
        "sections": result.sections,
        "refine_steps": writing.refine,
        "model": result.model,
        "adapter": result.adapter,
        "warnings": list(result.warnings),
        "seconds": round(result.seconds, 3),
    }
