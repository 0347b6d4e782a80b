"""`ls`, `show`, `rename`, `tag` and `rm`: the saved documents themselves. No model is loaded."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dmdoc import console
from dmdoc.cli.options import (
    JSON_SCHEMA,
    JsonOption,
    NameArgument,
    NameOrCurrentArgument,
    complete_name,
    named_or_current,
    open_library,
)
from dmdoc.console.tables import documents_table, values_table
from dmdoc.errors import PartialFailureError
from dmdoc.text.counting import counted

if TYPE_CHECKING:
    from dmdoc.library.saved_document import SavedDocument

NamesArgument = Annotated[
    list[str], typer.Argument(metavar="NAME...", autocompletion=complete_name, help="Saved documents.")
]


def list_documents(
    tag: Annotated[str | None, typer.Option("--tag", help="Only documents with this tag.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the saved documents.

    \f
    Raises:
        PartialFailureError: some are damaged; the others are listed.
    """
    from dmdoc.library.shelf import Damaged

    found = open_library().survey()
    if tag is not None:
        found = tuple(each for each in found if each.tags is None or tag in each.tags)
    documents = [each for each in found if not isinstance(each, Damaged)]
    damaged = [each for each in found if isinstance(each, Damaged)]
    if as_json:
        console.write_json(
            {
                "schema": JSON_SCHEMA,
                "documents": [record(saved) for saved in documents],
                "damaged": [{"name": each.name, "error": str(each.error)} for each in damaged],
            }
        )
    elif documents:
        documents_table(documents)
        warn_of_changed_files(documents)
    elif damaged:
        pass
    elif tag is not None:
        console.note(f"no document is tagged {tag!r}")
    else:
        console.note("nothing is saved yet; read a document with `dmdoc ingest FILE`")
    for each in damaged:
        console.error(f"{each.name}: {each.error}")
    if damaged:
        raise PartialFailureError(f"{len(damaged)} of {counted(len(found), 'document')} cannot be used")


def warn_of_changed_files(documents: "Iterable[SavedDocument]") -> None:
    """Say whose file has changed since it was read; a file that is gone is no reason to warn."""
    changed = [saved.name for saved in documents if saved.file_change == "changed"]
    if changed:
        have, them = ("has", "it") if len(changed) == 1 else ("have", "them")
        console.warn(
            f"the {'file' if len(changed) == 1 else 'files'} of {', '.join(changed)} {have} changed since; "
            f"`dmdoc ingest` reads {them} again"
        )


def show(name: NameOrCurrentArgument = None, as_json: JsonOption = False) -> None:
    """Show everything that is known about a saved document."""
    library = open_library()
    saved = named_or_current(library, name)
    known = {
        **record(saved),
        "file": saved.file_change,
        "current": library.is_current(saved),
        "state_bytes": saved.state_path.stat().st_size,
        "folder": str(saved.folder),
    }
    if as_json:
        console.write_json({"schema": JSON_SCHEMA, **known})
    else:
        values_table(
            {
                "used where no name is given" if key == "current" else key: value
                for key, value in known.items()
            }
        )
        warn_of_changed_files([saved])


def rename(
    old: NameArgument,
    new: Annotated[str, typer.Argument(help="Its new name.")],
    as_json: JsonOption = False,
) -> None:
    """Give a saved document another name."""
    saved = open_library().rename(old, new)
    if as_json:
        console.write_json({"schema": JSON_SCHEMA, **record(saved)})


def tag(
    name: NameArgument,
    tags: Annotated[list[str] | None, typer.Argument(help="Tags to add.")] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", help="Take this tag away. May be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add or remove tags of a saved document, and print those it has."""
    saved = open_library().tag(name, add=tags or (), remove=remove or ())
    if as_json:
        console.write_json({"schema": JSON_SCHEMA, **record(saved)})
    else:
        console.write_answer("".join(f"{tag}\n" for tag in saved.tags))


def remove(names: NamesArgument, as_json: JsonOption = False) -> None:
    """Remove saved documents, with their states and texts."""
    open_library().remove(*names)
    if as_json:
        console.write_json({"schema": JSON_SCHEMA, "removed": names})


def record(saved: "SavedDocument") -> dict[str, Any]:
    """What JSON says of a saved document."""
    summary = saved.summary()
    return {
        "name": saved.name,
        "source": saved.source,
        "tags": list(saved.tags),
        "pages": saved.page_count,
        "characters": saved.characters,
        "tokens": summary.tokens,
        "sections": summary.sections,
        "refine_steps": summary.refine_steps,
        "model": summary.model,
        "adapter": summary.adapter,
        "created": saved.created,
        "sha256": saved.sha256,
    }
