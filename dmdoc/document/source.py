"""What every format's reader takes and gives. Knows nothing about any one format."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from dmdoc.errors import ExtractionError

FORMATS_EXTRA = "pip install 'dmdoc[formats]'"
"""What installs the libraries that only some formats need."""


MAX_FILE = 1 << 30
"""Bytes that a file may have, with its pictures."""


@dataclass(frozen=True)
class Limits:
    """What reading a document may take."""

    text: int = 64 << 20
    """Bytes of text, and of what the members of an archive unpack to."""
    seconds: float = 600.0
    """Of reading it, where it is read in a process of its own."""
    memory: int = 2 << 30
    """Bytes of address space that this process may have."""


DEFAULT_LIMITS = Limits()

Ocr = Literal["off", "auto", "force"]
"""Which pages of a PDF are read by OCR: none, those without text, or all."""

OCR_LANGUAGE = "eng"
"""As Tesseract calls it; `deu+eng` is two."""


@dataclass(frozen=True)
class Source:
    """The bytes of a document and what they are called in messages."""

    data: bytes
    label: str
    """The path or URL as it was given, or "standard input"."""
    password: str | None = None
    """Opens an encrypted PDF."""
    limits: Limits = DEFAULT_LIMITS
    ocr: Ocr = "off"
    ocr_language: str = OCR_LANGUAGE
    told_suffix: str | None = None
    """As `suffix`, where something else than the label tells it."""

    @property
    def suffix(self) -> str:
        """How the name of its file ends: in lower case, with the dot; "" if it has no suffix."""
        return PurePath(self.label).suffix.lower() if self.told_suffix is None else self.told_suffix

    def check_size(self, size: int, *, what: str = "holds") -> None:
        """
        Raises:
            ExtractionError: `size` bytes of text are more than the limit.
        """
        if size > self.limits.text:
            raise ExtractionError(
                f"{self.label} {what} more than the {self.limits.text / (1 << 20):,.4g} MB of text that a document "
                "may have; split it up, or raise that limit"
            )


@dataclass(frozen=True)
class Extracted:
    """What a format's reader returns."""

    pages: tuple[str, ...]
    """Normalised; one entry a page, slide or chapter, "" for one without text."""
    reader: str
    """As `Extraction.reader`."""
    warnings: tuple[str, ...] = ()
    """As `Document.warnings`."""
    confidence: tuple[float | None, ...] = ()
    """As `Document.confidence`."""


def joined(pieces: Iterable[bytes], label: str) -> bytes:
    """The bytes of a file that comes in pieces.

    Raises:
        ExtractionError: there are more than `MAX_FILE`.
    """
    kept, size = [], 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size > MAX_FILE:
            raise ExtractionError(
                f"{label} has more than the {MAX_FILE >> 30} GB that a file may have; split it up"
            )
    return b"".join(kept)


def left_out(counts: Mapping[str, int], things: Iterable[str] = ()) -> tuple[str, ...]:
    """The warning that names what a reader did not take; none if there is no such thing.

    Args:
        counts: how many there are of what, such as `{"picture": 2}`.
        things: what has names of its own.
    """
    counted = [f"{count:,} {what}{'s' if count > 1 else ''}" for what, count in counts.items() if count]
    named = ", ".join([*counted, *things])
    return (f"left out: {named}",) if named else ()


def missing_extra(source: Source, format_name: str, library: str) -> ExtractionError:
    """The error for a format whose library is not installed."""
    return ExtractionError(f"{source.label} is {format_name}, which needs {library}; {FORMATS_EXTRA} adds it")
