"""What can be said about a fictional subject: kinds, their relations and every way to phrase them.

The wording lives in TOML files beside this module; here it becomes frozen dataclasses. This module knows
nothing about drawing values or building documents.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

Split = Literal["train", "eval"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Wording:
    """How a split words a relation. Templates hold subject {S}, item {I}, value {V}, article {a} or {A}."""

    facts: tuple[str, ...]
    questions: tuple[str, ...]
    nouns: tuple[str, ...]
    """Noun phrases that name the value, for updates: "the head of {S}"."""
    updates: tuple[str, ...]
    """Sentences in which only this relation announces a new value, with {when} or {old}; may be empty."""


@dataclass(frozen=True)
class Relation:
    """One type of fact."""

    id: str
    """Kind and name: "company.head"."""
    value: str
    """Pool of the answer."""
    item: str | None
    """Pool of what a question names beside the subject ("How many lamps ..."); such a relation may recur."""
    fixed: bool
    """True where a value does not change with time, so that an update is worded as a correction."""
    wording: Mapping[Split, Wording]


@dataclass(frozen=True)
class Manner:
    """How one split speaks of the subjects of a kind."""

    subjects: tuple[str, ...]
    """Patterns of full names, over pools."""
    references: tuple[str, ...]
    """Short forms for later mentions; {last} is the last word of the name."""
    remarks: tuple[str, ...]
    """Sentences that state no fact anybody asks for."""


@dataclass(frozen=True)
class Kind:
    """One kind of subject, such as a company or a ship."""

    name: str
    manner: Mapping[Split, Manner]
    relations: tuple[Relation, ...]


@dataclass(frozen=True)
class Frames:
    """Wording of one split that fits every kind. Templates hold {noun}, {V}, {old}, {when} or {S}."""

    changes: tuple[str, ...]
    corrections: tuple[str, ...]
    remarks: tuple[str, ...]
    titles: tuple[str, ...]
    mixed_titles: tuple[str, ...]
    joint: str
    """What joins two facts into one sentence."""
    openings: tuple[str, ...]
    """Phrases that may go before a fact."""
    introductions: tuple[str, ...]
    """Phrases that may go before a question."""
    requests: tuple[str, ...]
    """Requests that can replace a question."""


def read_table(name: str) -> dict[str, Any]:
    """Parse a TOML file of this package, named relative to it."""
    return tomllib.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))


@cache
def kinds() -> tuple[Kind, ...]:
    """Every kind, in the order of the names of their files."""
    folder = resources.files(__package__).joinpath("kinds")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return tuple(_kind(name.removesuffix(".toml"), read_table(f"kinds/{name}")) for name in names)


@cache
def frames(split: Split) -> Frames:
    """The wording that every kind shares."""
    table: dict[str, Any] = read_table("frames.toml")[split]
    joint = table.pop("joint")
    return Frames(joint=joint, **{key: tuple(lines) for key, lines in table.items()})


def relations() -> tuple[str, ...]:
    """The ids of all relations."""
    return tuple(relation.id for kind in kinds() for relation in kind.relations)


def phrasings(relation: str, split: Split) -> tuple[str, ...]:
    """All fact, question and update templates of a relation in a split; KeyError if it does not exist."""
    wording = {each.id: each.wording for kind in kinds() for each in kind.relations}[relation][split]
    return wording.facts + wording.questions + wording.nouns + wording.updates


def _kind(name: str, table: Mapping[str, Any]) -> Kind:
    manner = {split: Manner(**{key: tuple(lines) for key, lines in table[split].items()}) for split in SPLITS}
    relations_of_kind = (_relation(f"{name}.{key}", entry) for key, entry in table["relations"].items())
    return Kind(name, manner, tuple(relations_of_kind))


def _relation(identifier: str, table: Mapping[str, Any]) -> Relation:
    wording = {split: _wording(table[split]) for split in SPLITS}
    return Relation(identifier, table["value"], table.get("item"), table.get("fixed", False), wording)


def _wording(table: Mapping[str, Any]) -> Wording:
    facts, questions, nouns, updates = (
        tuple(table.get(key, ())) for key in ("facts", "questions", "nouns", "updates")
    )
    return Wording(facts, questions, nouns, updates)
