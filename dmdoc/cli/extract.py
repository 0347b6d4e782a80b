"""`extract`: the text that `ingest` would read. No model is loaded."""

from dataclasses import asdict

from dmdoc import console
from dmdoc.cli.options import JSON_SCHEMA, FileArgument, JsonOption, OfflineOption, spread
from dmdoc.cli.reading import Reading


@spread
def extract(
    *, file: FileArgument, reading: Reading, offline: OfflineOption = False, as_json: JsonOption = False
) -> None:
    """Print the text that `ingest` would read, page by page."""
    with reading.open() as reader:
        document = reading.read(file, reader, offline=offline)
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
    for warning in document.warnings:
        console.warn(f"{document.name}: {warning}")
    for number, page in enumerate(document.pages, start=1):
        console.write_answer(f"--- page {number} ---\n{page}\n" if page else f"--- page {number} ---\n")
