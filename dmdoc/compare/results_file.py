"""The results of a run as JSON lines: the first says what is run, each other one is a document in a mode.

A line is written when its document is done, so a killed run goes on where it was; a last line that the kill cut
short is done again.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dmdoc.atomic_file import write_atomically
from dmdoc.compare.results import Mode, Result, Skipped
from dmdoc.errors import UsageError

SCHEMA = 1

Outcome = list[Result] | Skipped


class ResultsFile:
    """What is done of a run, in a file.

    Args:
        path: need not exist.
        run: what decides the results: another run's file is refused.

    Raises:
        UsageError: the file cannot be read or written, is something else, or is of another run.
    """

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        self._path = path
        self._done: dict[tuple[str, Mode], Outcome] = {}
        first = json.dumps({"schema": SCHEMA, **run}, ensure_ascii=False)
        lines = self._read()
        if lines:
            self._check(lines[0], first)
            for number, line in enumerate(lines[1:], start=2):
                self._take(line, number)
        self._write("".join(f"{line}\n" for line in lines or [first]))

    def get(self, document: str, mode: Mode) -> Outcome | None:
        """What a document gave in a mode; None if that is still to do."""
        return self._done.get((document, mode))

    def add(self, document: str, mode: Mode, outcome: Outcome) -> None:
        """Keep what a document gave, on the disk as well."""
        record: dict[str, Any] = {"document": document, "mode": mode}
        if isinstance(outcome, Skipped):
            record["skipped"] = outcome.reason
        else:
            record["results"] = [asdict(result) for result in outcome]
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        except OSError as error:
            raise self._unwritable(error) from error
        self._done[document, mode] = outcome

    def _read(self) -> list[str]:
        """The whole lines."""
        try:
            text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the results in {self._path}: {error}") from error
        return text.split("\n")[:-1]

    def _check(self, found: str, expected: str) -> None:
        try:
            theirs, ours = json.loads(found), json.loads(expected)
        except ValueError as error:
            raise UsageError(f"{self._path} is not a file of results; give another file") from error
        if theirs != ours:
            theirs = theirs if isinstance(theirs, dict) else {}
            differing = ", ".join(key for key in ours if theirs.get(key) != ours[key])
            raise UsageError(
                f"{self._path} has the results of another run ({differing} differ); give another file"
            )

    def _take(self, line: str, number: int) -> None:
        try:
            record = json.loads(line)
            self._done[record["document"], record["mode"]] = _outcome(record)
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{self._path} line {number} is damaged, or of another version of dmdoc; give another file"
            ) from error

    def _write(self, text: str) -> None:
        try:
            write_atomically(self._path, text.encode())
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UsageError:
        return UsageError(f"cannot write the results to {self._path}: {error.strerror or error}")


def _outcome(record: dict[str, Any]) -> Outcome:
    if "skipped" in record:
        return Skipped(record["document"], record["mode"], record["skipped"])
    return [Result(**{**result, "answers": tuple(result["answers"])}) for result in record["results"]]
