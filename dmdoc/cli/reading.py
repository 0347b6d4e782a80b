"""The options that say how a document's file is read, and what reads it."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from dmdoc import console
from dmdoc.errors import UsageError

if TYPE_CHECKING:
    from dmdoc.cli.options import Machine
    from dmdoc.document import Document, IsolatedReader
    from dmdoc.library.library import Library


class OcrMode(Enum):
    """Which pages of a PDF are read by OCR."""

    OFF = "off"
    AUTO = "auto"
    FORCE = "force"


@dataclass(frozen=True)
class Reading:
    """How a document's file is read."""

    password: Annotated[str | None, typer.Option("--password", help="The password of an encrypted PDF.")] = (
        None
    )
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            envvar="DMDOC_TIMEOUT",
            help="The most seconds that one file may take to read.",
        ),
    ] = 600.0
    max_text: Annotated[
        float,
        typer.Option(
            "--max-text", metavar="MB", envvar="DMDOC_MAX_TEXT", help="The most text that one file may have."
        ),
    ] = 64.0
    ocr: Annotated[
        OcrMode,
        typer.Option(
            "--ocr",
            envvar="DMDOC_OCR",
            help="Read scanned pages of a PDF by OCR: those without text, or all.",
        ),
    ] = OcrMode.OFF
    ocr_language: Annotated[
        str,
        typer.Option(
            "--ocr-language",
            envvar="DMDOC_OCR_LANGUAGE",
            help="The language of scans, as Tesseract calls it.",
        ),
    ] = "eng"
    allow_private: Annotated[
        bool,
        typer.Option(
            "--allow-private", help="Fetch URLs from addresses of this machine and of private networks, too."
        ),
    ] = False

    @contextmanager
    def open(self) -> "Iterator[IsolatedReader]":
        """What reads the files, in a process of its own.

        Raises:
            UsageError: a limit is not positive, or the language is no name.
        """
        from dmdoc.document import IsolatedReader, Limits

        for option, value in (("--timeout", self.timeout), ("--max-text", self.max_text)):
            if not 0 < value <= 1e6:
                raise UsageError(f"{option} takes a number above 0 and up to a million, got {value:g}")
        if not re.fullmatch(r"\w+(?:\+\w+)*", self.ocr_language):
            raise UsageError(f"--ocr-language takes names such as eng or deu+eng, got {self.ocr_language!r}")
        limits = Limits(text=int(self.max_text * (1 << 20)), seconds=self.timeout)
        with IsolatedReader(
            limits, ocr=self.ocr.value, ocr_language=self.ocr_language, allow_private=self.allow_private
        ) as reader:
            yield reader

    def read(
        self,
        source: str,
        reader: "IsolatedReader",
        *,
        name: str | None = None,
        single: bool = True,
        offline: bool = False,
        known: "Document | None" = None,
    ) -> "Document":
        """The document of a source, which may be one of several; `known` is as for `IsolatedReader.read`.

        Raises:
            ExtractionError, UsageError: as `IsolatedReader.read`; or it is a URL and the network is not to be used.
        """
        from dmdoc.document import is_url

        if offline and is_url(source):
            raise UsageError(f"{source} is on the network, which --offline forbids")
        # Of many files some may be encrypted PDFs, and no others take a password.
        password = self.password if single or source.lower().endswith(".pdf") else None
        return reader.read(source, name=name, password=password, stdin=sys.stdin.buffer, known=known)


@dataclass(frozen=True)
class SourceReader:
    """How a source becomes a document."""

    opened: "IsolatedReader"
    reading: Reading
    machine: "Machine"
    library: "Library | None"
    """Has the pages that need not be fetched again; None if all are."""
    name: str | None
    single: bool

    def read(self, source: str) -> "Document":
        """
        Raises:
            DmdocError: it cannot be read.
        """
        from dmdoc.document import is_url
        from dmdoc.ingest.sources import known_page

        # A page that has not changed may have been read without OCR before.
        fresh = self.library is None or self.reading.ocr is not OcrMode.OFF
        known = None
        if is_url(source) and self.library is not None and not fresh:
            known = known_page(source, self.library, self.name)
        document = self.reading.read(
            source,
            self.opened,
            name=self.name,
            single=self.single,
            offline=self.machine.offline,
            known=known,
        )
        if self.machine.verbose:
            read = f"extracted by {document.reader}" if document.reader else "unchanged, as the server says"
            console.note(f"{source}: {len(document.text):,} characters {read}")
        return document
