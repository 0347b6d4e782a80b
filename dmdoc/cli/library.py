"""`ls` and `rm`: the saved documents themselves. No model is loaded."""

from dmdoc import console
from dmdoc.cli.options import JSON_SCHEMA, JsonOption, NameArgument, open_library
from dmdoc.console.tables import documents_table


def list_documents(as_json: JsonOption = False) -> None:
    """List the saved documents."""
    documents = open_library().documents()
    if not as_json:
        documents_table(documents)
        return
    records = []
    for saved in documents:
        header = saved.header()
        records.append(
            {
                "name": saved.name,
                "source": saved.source,
                "pages": saved.page_count,
                "characters": saved.characters,
                "tokens": header.tokens_written,
                "model": header.backbone.name,
                "adapter": header.adapter.name,
                "created": saved.created,
                "sha256": saved.sha256,
            }
        )
    console.write_json({"schema": JSON_SCHEMA, "documents": records})


def remove(name: NameArgument) -> None:
    """Remove a saved document: its state and its extracted text."""
    open_library().remove(name)
