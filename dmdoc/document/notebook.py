"""Jupyter notebooks: the cells in order, code between lines of ```, with what it printed; pictures are left out."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dmdoc.document.source import Extracted, Source, left_out
from dmdoc.document.text import decode
from dmdoc.errors import ExtractionError
from dmdoc.text.normalise import normalise_text

_COLOUR = re.compile(r"\x1b\[[\d;]*[A-Za-z]")


def read(source: Source) -> Extracted:
    """The text of the notebook.

    Raises:
        ExtractionError: it is not one.
    """
    text, _ = decode(source)
    try:
        notebook = json.loads(text)
        sheets = notebook.get("worksheets", [notebook])  # notebooks before version 4 have worksheets
        cells = [cell for sheet in sheets for cell in sheet["cells"]]
        blocks = [block for cell in cells for block in _blocks(cell)]
        pictures = sum(_has_picture(output) for cell in cells for output in cell.get("outputs", ()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ExtractionError(
            f"{source.label} is not a Jupyter notebook, or is damaged; save it again"
        ) from error
    page = normalise_text(_COLOUR.sub("", "\n\n".join(block for block in blocks if block.strip())))
    return Extracted((page,), "notebook", left_out({"picture": pictures}))


def _blocks(cell: Mapping[str, Any]) -> Iterator[str]:
    """The text of a cell, then of each of its outputs."""
    text = _joined(cell["source"] if "source" in cell else cell["input"])
    yield f"```\n{text}\n```" if cell["cell_type"] == "code" and text.strip() else text
    for output in cell.get("outputs", ()):
        if "ename" in output:
            yield f"{output['ename']}: {output['evalue']}"
        elif not _has_picture(output):  # what is written beside a picture is only what kind of thing it is
            yield _joined(output.get("text") or output.get("data", {}).get("text/plain", ""))


def _has_picture(output: Mapping[str, Any]) -> bool:
    return any(kind.startswith("image/") for kind in output.get("data", {})) or "png" in output


def _joined(text: str | Sequence[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
