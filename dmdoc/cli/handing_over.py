"""`verify`, `export` and `import`: whether a saved document is whole, and handing it over as one file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dmdoc import console
from dmdoc.cli.library import record
from dmdoc.cli.options import (
    JSON_SCHEMA,
    JsonOption,
    Machine,
    NameArgument,
    TagOption,
    complete_name,
    open_library,
    spread,
)
from dmdoc.errors import DmdocError, PartialFailureError, UsageError

if TYPE_CHECKING:
    from dmdoc.library.library import Library


@spread
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME...]",
            autocompletion=complete_name,
            help="Saved documents. Without one, the one read last.",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All saved documents.")] = False,
    as_json: JsonOption = False,
    *,
    machine: Machine,
) -> None:
    """Check saved documents, and prove that their states change what the model says."""
    if names and every:
        raise UsageError("give the names of documents or --all, not both")
    library = open_library()
    names = list(dict.fromkeys(names or ()))
    there = [found.name for found in library.survey()]
    for name in set(names).difference(there):
        library.get(name)  # says why there is none, before a model is loaded
    if not names:
        names = there if every else [library.current().name]
    records = [_verified(name, library, machine, alone=len(names) == 1) for name in names]
    if as_json:
        console.write_json({"schema": JSON_SCHEMA, "documents": records})
    failed = sum(found["status"] == "failed" for found in records)
    for found in records:
        if found["status"] == "failed":
            console.error(f"{found['document']}: {found['error']}")
        elif not as_json:
            moved = f"its state moves {found['moved']:.1%} of the first token's probability"
            console.write_answer(f"{found['document']}: verified, {moved}\n")
    if failed:
        others = "the others are whole" if failed < len(records) else "none is whole"
        raise PartialFailureError(f"{failed} of {len(records)} documents failed; {others}")


def _verified(name: str, library: "Library", machine: Machine, *, alone: bool) -> dict[str, Any]:
    """The record of one document; what is wrong with it is raised when it is `alone`."""
    from dmdoc.answer.verify import verify as verify_document

    try:
        saved = library.get(name)
        moved = verify_document(saved, machine.open_reader(saved))
    except DmdocError as error:
        if alone:
            raise
        return {"document": name, "status": "failed", "moved": None, "error": str(error)}
    return {"document": name, "status": "verified", "moved": round(moved, 4), "error": None}


def export(
    name: NameArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write to this file or folder. Without it, NAME.dmdoc in this folder."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a file that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a saved document into one file, to hand over."""
    from dmdoc.library.bundle import SUFFIX, write_bundle

    library = open_library()
    saved = library.get(name)
    path = output or Path(f"{name}{SUFFIX}")
    if path.is_dir():
        path /= f"{name}{SUFFIX}"
    if path.exists() and not force:
        raise UsageError(f"{path} exists; pass --force to replace it, or another --output")
    with library.writing(path):
        size = write_bundle(saved, path)
    if as_json:
        console.write_json(
            {"schema": JSON_SCHEMA, "document": name, "file": str(path.absolute()), "bytes": size}
        )
    else:
        console.note(f"{name}: exported to {path}, {size / 1024:.0f} KB; it holds the whole text")


def install(
    file: Annotated[Path, typer.Argument(help="A file that `dmdoc export` wrote.")],
    name: Annotated[str | None, typer.Option("--name", "-n", help="Save it under this name.")] = None,
    tag: TagOption = None,
    as_json: JsonOption = False,
) -> None:
    """Save the document in a file that `export` wrote."""
    from dmdoc.library.bundle import install as install_bundle
    from dmdoc.library.bundle import read_bundle

    saved = install_bundle(read_bundle(file), open_library(), name=name, tags=tag or ())
    if as_json:
        console.write_json({"schema": JSON_SCHEMA, **record(saved)})
    else:
        console.note(f"{saved.name}: imported, written with {saved.header().backbone.name}")
