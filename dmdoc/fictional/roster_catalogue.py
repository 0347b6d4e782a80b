"""What rosters are made of: kinds of things with attributes, and the frames of lists, tables and contrasts.

The wording lives in rosters.toml; here it becomes frozen dataclasses. The halves of it share nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from dmdoc.fictional.catalogue import Split, read_table


@dataclass(frozen=True)
class Attribute:
    """What every thing of a kind has. Templates hold the thing {S}, the value {V} and perhaps its article {a}."""

    id: str
    """Noun of the kind and name: "boat.builder"."""
    label: str
    """Its name in a list or a table."""
    value: str
    """Pool of the values."""
    facts: tuple[str, ...]
    """Clauses without capital and full stop."""
    asks: tuple[str, ...]
    apart: tuple[str, ...]
    """Questions in other words than those of the facts."""
    which: str
    """What tells a thing from others by this value: "that {V} built"."""


@dataclass(frozen=True)
class RosterKind:
    """One kind of thing."""

    noun: str
    plural: str
    names: tuple[str, ...]
    """Patterns over pools."""
    near: tuple[str, ...]
    """The same, of which those of one document are filled with the same words as far as they can be told apart."""
    pronoun: str
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True)
class RosterFrames:
    """Wording that fits every kind; see the head of rosters.toml."""

    titles: tuple[str, ...]
    openings: tuple[str, ...]
    items: tuple[str, ...]
    pair: str
    pairs_joint: str
    block: str
    cell: str
    contrasts: tuple[str, ...]
    asks: tuple[str, ...]
    described: tuple[str, ...]
    remarks: tuple[str, ...]


@cache
def roster_kinds(split: Split) -> tuple[RosterKind, ...]:
    """Every kind of a half, in the order of the file."""
    return tuple(_kind(table) for table in read_table("rosters.toml")[split]["kinds"])


@cache
def roster_frames(split: Split) -> RosterFrames:
    """The wording that all kinds of a half share."""
    return RosterFrames(**_frozen(read_table("rosters.toml")[split]["frames"]))


def _kind(table: Mapping[str, Any]) -> RosterKind:
    attributes = tuple(
        Attribute(id=f"{table['noun']}.{name}", **_frozen(entry))
        for name, entry in table["attributes"].items()
    )
    return RosterKind(**_frozen(table) | {"attributes": attributes})


def _frozen(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
