"""`export` and `import`: handing a saved document over as one file."""

from pathlib import Path
from typing import Annotated

import typer

from dmdoc import console
from dmdoc.cli.library import record
from dmdoc.cli.options import (
    JSON_SCHEMA,
    JsonOption,
    NameArgument,
    TagOption,
    open_library,
)
from dmdoc.errors import UsageError


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

    saved, fresh = install_bundle(read_bundle(file), open_library(), name=name, tags=tag or ())
    if as_json:
        console.write_json({"schema": JSON_SCHEMA, **record(saved)})
    elif not fresh:
        console.note(f"{saved.name}: unchanged, this text is saved already")
    else:
        console.note(f"{saved.name}: imported, written with {saved.header().backbone.name}")
