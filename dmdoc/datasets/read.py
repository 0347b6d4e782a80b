"""A file or a folder → its documents, whatever the format: the content tells, and not the name."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

from dmdoc.datasets import json_lines, locomo, qasper, squad
from dmdoc.datasets.document import QuestionedDocument
from dmdoc.errors import UsageError

SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
"""What is read of a folder."""


@dataclass(frozen=True)
class Format:
    """A way to write documents with questions down as JSON."""

    name: str
    recognises: Callable[[Any], bool]
    """Whether parsed JSON (of JSON lines: the list of them) is in this format."""
    documents: Callable[[Any], Iterator[QuestionedDocument]]
    """Parsed JSON → documents; may raise KeyError, TypeError, AttributeError or UsageError."""


FORMATS = tuple(
    Format(module.NAME, module.recognises, module.documents) for module in (json_lines, squad, locomo, qasper)
)


def read_dataset(path: Path) -> tuple[QuestionedDocument, ...]:
    """All documents of a file, or of the files of a folder in the order of their names, that have questions.

    Documents of one name are told apart by a number.

    Raises:
        UsageError: nothing there, not JSON, no known format, malformed, or no document has a question.
    """
    found = [document for file in _files(path) for document in _read(file) if document.questions]
    if not found:
        raise UsageError(f"{path}: no document has a question with an answer")
    named: dict[str, QuestionedDocument] = {}
    for document in found:
        numbered = (f"{document.name} ({number})" for number in count(2))
        name = next(name for name in chain([document.name], numbered) if name not in named)
        named[name] = replace(document, name=name)
    return tuple(named.values())


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    try:
        files = sorted(file for file in path.iterdir() if file.name.endswith(SUFFIXES) and file.is_file())
    except OSError as error:
        raise UsageError(f"cannot read the folder {path}: {error.strerror or error}") from error
    if not files:
        raise UsageError(f"the folder {path} has no dataset in it: no file ending in {', '.join(SUFFIXES)}")
    return files


def _read(file: Path) -> list[QuestionedDocument]:
    content = _parse(_text(file), file)
    known = next((format for format in FORMATS if format.recognises(content)), None)
    if known is None:
        names = ", ".join(format.name for format in FORMATS)
        raise UsageError(f"{file} is not in a known format; known are {names}")
    done: list[QuestionedDocument] = []
    try:
        done.extend(known.documents(content))
    except (KeyError, TypeError, AttributeError, UsageError) as error:
        what = {KeyError: "lacks ", UsageError: ""}.get(type(error), "is built otherwise: ")
        raise UsageError(f"{file} ({known.name}), document {len(done) + 1}: {what}{error}") from error
    return done


def _text(file: Path) -> str:
    try:
        raw = file.read_bytes()
        return (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the dataset {file}: {error}") from error


def _parse(text: str, file: Path) -> Any:
    """One JSON value, or the list of the values of its lines."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    values = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                values.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise UsageError(f"{file} line {number} is not JSON: {error}") from error
    return values
