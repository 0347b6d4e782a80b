"""What a state file says of its states: what wrote them, from what text, and how far it got.

Knows nothing about tensors or where the file lies.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple

from dmdoc.errors import IdentityError

READ_AGAIN = "read the document again"
"""What to do about a state that cannot be used."""


@dataclass(frozen=True)
class Identity:
    """A backbone, adapter or tokenizer: what it is called and the hash of what it is."""

    name: str
    sha256: str
    older: tuple[str, ...] = field(default=(), compare=False)
    """What earlier versions gave for its hash; never saved."""

    def __str__(self) -> str:
        return f"{self.name} ({self.sha256[:8]})"

    def wrote(self, saved: "Identity") -> bool:
        """Whether it is what is named in a saved state."""
        return saved.sha256 in (self.sha256, *self.older)


class Section(NamedTuple):
    """A piece of a document that was written into a state of its own."""

    tokens: int
    """Tokens written, layout included."""
    first_page: int
    """The pages that it begins and ends on, counted from 1."""
    last_page: int


@dataclass(frozen=True)
class StateHeader:
    """What wrote the states of a document's sections, from what, and how far it got."""

    backbone: Identity
    adapter: Identity
    tokenizer: Identity
    sections: tuple[Section, ...]
    """Those whose states the file holds, in the order of the document."""
    sections_total: int
    """More than the file holds while the ingest is unfinished."""
    write_budget: int
    """Most tokens one section may hold."""
    write_layout: str
    write_granularity: str
    refine_steps: int
    """Steps by which each section's state was refined (refine.py)."""
    document_sha256: str
    dmdoc_version: str
    created: str
    """UTC, ISO 8601."""

    @property
    def tokens_written(self) -> int:
        return sum(section.tokens for section in self.sections)

    def to_json(self) -> str:
        values = asdict(self)
        for name in ("backbone", "adapter", "tokenizer"):
            del values[name]["older"]
        return json.dumps(values, sort_keys=True)

    @property
    def sha256(self) -> str:
        """Of all that it says. A state file binds its tensors to it, so that it stands for the whole file."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str) -> "StateHeader":
        """Raises:
        ValueError: not JSON, or not exactly the fields of a header with their types.
        """
        values = json.loads(text)
        expected = {each.name: each.type for each in fields(cls)}
        if not isinstance(values, dict) or values.keys() != expected.keys():
            raise ValueError("not the fields of a state header")
        for name, kind in expected.items():
            if kind is Identity:
                values[name] = Identity(*_strings(values[name]))
            elif name == "sections":
                values[name] = tuple(Section(*_whole_numbers(numbers)) for numbers in values[name])
            elif type(values[name]) is not kind:
                raise ValueError(f"{name} is not {kind}")
        return cls(**values)


def check_identity(
    header: StateHeader, *, backbone: Identity, adapter: Identity, tokenizer: Identity
) -> None:
    """Refuse to use a state with anything but what wrote it. Hashes decide; a name is only what to call it.

    Raises:
        IdentityError: one or more of the three differ; the message names each.
    """
    pairs = {
        "backbone": (header.backbone, backbone),
        "adapter": (header.adapter, adapter),
        "tokenizer": (header.tokenizer, tokenizer),
    }
    differing = [what for what, (wrote, loaded) in pairs.items() if not loaded.wrote(wrote)]
    if not differing:
        return
    found = ", ".join(f"{what} {pairs[what][0]}, not {pairs[what][1]}" for what in differing)
    options = []
    if "backbone" in differing or "tokenizer" in differing:  # a tokenizer comes with its backbone
        options.append(header.backbone.name)
    if "adapter" in differing:
        options.append(header.adapter.name)
    raise IdentityError(f"this state was written with {found}; use {' and '.join(options)}, or {READ_AGAIN}")


def _strings(values: Any) -> tuple[str, str]:
    if not isinstance(values, dict) or values.keys() != {"name", "sha256"}:
        raise ValueError("not an identity")
    if not all(isinstance(value, str) for value in values.values()):
        raise ValueError("not the strings of an identity")
    return values["name"], values["sha256"]


def _whole_numbers(values: Any) -> list[int]:
    if not isinstance(values, list) or len(values) != len(Section._fields):
        raise ValueError("not a section")
    if not all(type(value) is int for value in values):
        raise ValueError("not the numbers of a section")
    return values
