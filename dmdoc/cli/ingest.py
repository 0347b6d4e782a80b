"""`ingest` and `extract`: a file into a saved state, or into the text that would be read."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from dmdoc import console
from dmdoc.cli.options import (
    JSON_SCHEMA,
    BudgetOption,
    FileArgument,
    JsonOption,
    Machine,
    PasswordOption,
    RefineOption,
    open_library,
    spread,
)
from dmdoc.console.progress import ingest_progress


@spread
def ingest(
    file: FileArgument,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Save it under this name.")] = None,
    password: PasswordOption = None,
    budget: BudgetOption = None,
    refine: RefineOption = 0,
    force: Annotated[bool, typer.Option("--force", "-f", help="Read it again although it is saved.")] = False,
    as_json: JsonOption = False,
    *,
    machine: Machine,
) -> None:
    """Read a document once and save its state."""
    from dmdoc.document import read_document
    from dmdoc.ingest import ingest as ingest_document

    document = read_document(file, name=name, password=password, stdin=sys.stdin.buffer)
    if machine.verbose:
        console.note(f"{document.name}: {len(document.text):,} characters extracted by {document.reader}")
    reader = machine.open_reader()
    with ingest_progress(document.name, quiet=machine.quiet) as progress:
        result = ingest_document(
            document,
            reader,
            open_library(),
            budget=budget,
            refine_steps=refine,
            force=force,
            progress=progress,
        )
    if not machine.quiet:
        console.ingest_summary(result)
    if as_json:
        console.write_json(
            {
                "schema": JSON_SCHEMA,
                "document": result.document.name,
                "status": result.status,
                "source": result.document.source,
                "pages": result.document.page_count,
                "tokens": result.tokens,
                "sections": result.sections,
                "refine_steps": refine,
                "model": reader.backbone.name,
                "adapter": reader.adapter_identity.name,
                "warnings": list(result.warnings),
                "seconds": round(result.seconds, 3),
            }
        )


def extract(
    file: FileArgument,
    password: PasswordOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the text that would be ingested, page by page."""
    from dmdoc.document import read_document

    document = read_document(file, password=password, stdin=sys.stdin.buffer)
    if as_json:
        console.write_json(
            {
                "schema": JSON_SCHEMA,
                "source": document.source,
                "sha256": document.sha256,
                "extraction": asdict(document.extraction),
                "pages": list(document.pages),
            }
        )
        return
    for number, page in enumerate(document.pages, start=1):
        console.write_answer(f"--- page {number} ---\n{page}\n" if page else f"--- page {number} ---\n")
