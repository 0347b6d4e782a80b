"""`verify`: whether saved documents are whole; what is damaged is rebuilt from what is whole."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dmdoc import console
from dmdoc.cli.options import JSON_SCHEMA, JsonOption, Machine, complete_name, open_library, spread
from dmdoc.errors import DmdocError, IdentityError, PartialFailureError, UsageError

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
    repair: Annotated[
        bool, typer.Option("--repair", help="Rebuild what is damaged from what is whole.")
    ] = False,
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
    records = [_verified(name, library, machine, repair=repair, alone=len(names) == 1) for name in names]
    if as_json:
        console.write_json({"schema": JSON_SCHEMA, "documents": records})
    failed = sum(found["status"] == "failed" for found in records)
    for found in records:
        if found["status"] == "failed":
            console.error(f"{found['document']}: {found['error']}")
        elif not as_json:
            for told in found["repaired"]:
                console.note(f"{found['document']}: {told}")
            moved = f"its state moves {found['moved']:.1%} of the first token's probability"
            console.write_answer(f"{found['document']}: {found['status']}, {moved}\n")
    if failed:
        others = "the others are whole" if failed < len(records) else "none is whole"
        raise PartialFailureError(f"{failed} of {len(records)} documents failed; {others}")


def _verified(
    name: str, library: "Library", machine: Machine, *, repair: bool, alone: bool
) -> dict[str, Any]:
    """The record of one document; what is wrong with it is raised when it is `alone`."""
    try:
        try:
            told, moved = [], _moved(name, library, machine)
        except IdentityError:
            raise  # it is whole, and another model's
        except DmdocError:
            if not repair:
                raise
            told = _repaired(name, library, machine)
            moved = _moved(name, library, machine)
    except DmdocError as error:
        if alone:
            raise
        return {"document": name, "status": "failed", "moved": None, "repaired": [], "error": str(error)}
    status = "repaired" if told else "verified"
    return {"document": name, "status": status, "moved": round(moved, 4), "repaired": told, "error": None}


def _moved(name: str, library: "Library", machine: Machine) -> float:
    from dmdoc.answer.verify import verify as verify_document

    saved = library.get(name)
    return verify_document(saved, machine.open_reader(saved))


def _repaired(name: str, library: "Library", machine: Machine) -> list[str]:
    """Rebuild a document; what there is to tell of it.

    Raises:
        DmdocError: it cannot be rebuilt.
    """
    from dmdoc.document import Document, read_document
    from dmdoc.ingest.single import ingest
    from dmdoc.library.repair import rebuild

    def read(source: str) -> Document:
        return read_document(source, stdin=sys.stdin.buffer)

    rebuilt = rebuild(name, library, read)
    told, saved = list(rebuilt.told), rebuilt.saved
    try:
        saved.state()
    except DmdocError:
        header = saved.header()  # of a state without one nobody knows how it was written
        document = Document(name, saved.source, saved.pages())
        ingest(
            document,
            machine.open_reader(saved),
            library,
            budget=header.write_budget,
            refine_steps=header.refine_steps,
            force=True,
        )
        told.append("its state was written again")
    return told
