"""Rosters from a seed: several things of one kind with the same attributes; a value belongs to one thing of many.

A family says what makes a document hard; how it is laid out (sentences, list, table, blocks) is drawn. Knows nothing
about tokens.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from dmdoc.errors import TrainingError
from dmdoc.fictional.catalogue import Split
from dmdoc.fictional.compose import sentence_case
from dmdoc.fictional.generate import FictionalDocument, Question
from dmdoc.fictional.roster_catalogue import Attribute, RosterKind, roster_frames, roster_kinds
from dmdoc.fictional.values import Drawer, article

Family = Literal["roster", "near", "contrast", "chain", "doubled", "pronoun", "apart"]
"""Plain; names that share their words; two things in one sentence; things described by another value; values that two
things have; facts whose thing was named a sentence before; questions in other words than the text."""
FAMILIES: tuple[Family, ...] = get_args(Family)

FEWEST_THINGS, MOST_THINGS = 3, 10
FEWEST_ROSTER_FACTS, MOST_ROSTER_FACTS = 2 * FEWEST_THINGS, 3 * MOST_THINGS
"""Every kind has two attributes at least and can have three."""
_PROSE: tuple[Family, ...] = ("contrast", "pronoun")
_GENERAL_RATE = 0.25
_DOUBLED_RATE = 0.6


class _Cell(NamedTuple):
    thing: str
    attribute: Attribute
    value: str


@dataclass(frozen=True)
class _Piece:
    """A stretch of the text with the blanks behind it, and the facts that it states."""

    text: str
    states: tuple[_Cell, ...] = ()


def generate_roster(
    seed: int, *, facts: int, split: Split, family: Family, distractors: float = 0.0
) -> FictionalDocument:
    """A roster of so many facts, each with its question; the same arguments give the same document.

    distractors: sentences without an asked fact, for each fact, where the document is in sentences.
    Raises TrainingError where a roster cannot have so many facts.
    """
    if not FEWEST_ROSTER_FACTS <= facts <= MOST_ROSTER_FACTS:
        raise TrainingError(
            f"a roster has {FEWEST_ROSTER_FACTS} to {MOST_ROSTER_FACTS} facts, got {facts}; change the number"
        )
    rng = random.Random(f"{split} {family} {seed}")
    kind = rng.choice(roster_kinds(split))
    most = min(len(kind.attributes), facts // FEWEST_THINGS)
    fewest = max(2, -(-facts // MOST_THINGS))
    attributes = rng.sample(kind.attributes, rng.randint(fewest, most))
    things = _things(rng, Drawer(rng, split), kind, -(-facts // len(attributes)), family)
    cells = _cells(rng, Drawer(rng, split), things, attributes, family)[:facts]
    composer = _Composer(rng, split, kind, family)
    pieces = composer.pieces(things, cells, distractors)
    return FictionalDocument(
        title=sentence_case(composer.title),
        kind=family,
        text="".join(piece.text for piece in pieces).strip(),
        questions=tuple(composer.questions(pieces, cells)),
    )


def _things(rng: random.Random, drawer: Drawer, kind: RosterKind, count: int, family: Family) -> list[str]:
    """So many names, no two the same; near ones are made of as few words as there are."""
    patterns = kind.near if family == "near" else kind.names
    found: list[str] = []
    pattern = rng.choice(patterns)
    words: dict[str, str] = {}
    left = list(rng.sample(patterns, len(patterns)))
    while len(found) < count:
        if family == "near":
            if not left:  # every pattern has been filled with these words
                left, words = list(rng.sample(patterns, len(patterns))), {}
            name = _fill_alike(left.pop(), drawer, words, rng)
        else:
            name = drawer.fill(pattern, repeat=True)
        if name not in found:
            found.append(name)
    return found


def _fill_alike(pattern: str, drawer: Drawer, words: dict[str, str], rng: random.Random) -> str:
    """Fill a pattern with `words`, drawing what is missing; of a first and a family name one is new, as among kin."""
    pools = [part.split("}")[0] for part in pattern.split("{")[1:]]
    fresh = rng.choice(pools) if len(pools) > 1 else None
    filled = {
        pool: drawer.draw(pool, repeat=True) if pool == fresh or pool not in words else words[pool]
        for pool in pools
    }
    for pool, word in filled.items():
        words.setdefault(pool, word)
    return pattern.format(**filled)


def _cells(
    rng: random.Random, drawer: Drawer, things: Sequence[str], attributes: Sequence[Attribute], family: Family
) -> list[_Cell]:
    """The values, thing by thing."""
    columns = {}
    for attribute in attributes:
        column = [drawer.draw(attribute.value, repeat=True) for _ in things]
        if family == "doubled" and rng.random() < _DOUBLED_RATE:
            one, other = rng.sample(range(len(things)), 2)
            column[one] = column[other]
        columns[attribute.id] = column
    return [
        _Cell(thing, attribute, columns[attribute.id][row])
        for row, thing in enumerate(things)
        for attribute in attributes
    ]


class _Composer:
    """Words the facts of one document."""

    def __init__(self, rng: random.Random, split: Split, kind: RosterKind, family: Family) -> None:
        self._rng, self._kind, self._family = rng, kind, family
        self._frames = roster_frames(split)
        self.title = rng.choice(self._frames.titles).format(plural=kind.plural)

    def pieces(self, things: Sequence[str], cells: Sequence[_Cell], distractors: float) -> list[_Piece]:
        """The text in order, under its title or an opening or neither."""
        heads = [f"{self.title}\n\n", self._rng.choice(self._frames.openings) + " ", ""]
        head = self._rng.choice(heads).format(n=len(things), plural=self._kind.plural)
        if self._family in _PROSE or self._rng.random() < 0.5:
            return [_Piece(head), *self._prose(things, cells, distractors)]
        lay_out = self._rng.choice([self._items, self._table, self._blocks])
        return [_Piece(head.strip() + "\n\n"), *lay_out(things, cells)]

    def questions(self, pieces: Sequence[_Piece], cells: Sequence[_Cell]) -> Iterator[Question]:
        """One for each fact, in the order of the text."""
        length, offset = sum(len(piece.text) for piece in pieces), 0
        for piece in pieces:
            for cell in piece.states:
                first, *others = self._wordings(cell, cells)
                yield Question(
                    first,
                    cell.value,
                    None,
                    offset / length,
                    tuple(others),
                    attribute=cell.attribute.id,
                    about=cell.thing,
                )
            offset += len(piece.text)

    def _wordings(self, cell: _Cell, cells: Sequence[_Cell]) -> list[str]:
        attribute, name = cell.attribute, cell.thing
        if self._family == "chain":
            name = self._described(cell, cells) or name
        plain = self._rng.sample(attribute.asks, len(attribute.asks))
        apart = self._rng.sample(attribute.apart, len(attribute.apart))
        general = self._rng.choice(self._frames.asks).format(label=attribute.label, S="{S}")
        wordings = [*apart, *plain] if self._family == "apart" else [*plain, general, *apart]
        if self._family != "apart" and self._rng.random() < _GENERAL_RATE:
            wordings = [general, *plain, *apart]
        return [sentence_case(wording.format(S=name)) for wording in wordings]

    def _described(self, cell: _Cell, cells: Sequence[_Cell]) -> str | None:
        """The thing by another of its values, if no other thing has that one."""
        values = [other.value for other in cells]
        others = (other for other in cells if other.thing == cell.thing and other != cell)
        own = [other for other in others if values.count(other.value) == 1]
        if not own:
            return None
        by = self._rng.choice(own)
        which = by.attribute.which.format(V=by.value, a=article(by.value))
        return self._rng.choice(self._frames.described).format(noun=self._kind.noun, which=which)

    def _clause(self, cell: _Cell, mention: str | None = None) -> str:
        fact = self._rng.choice(cell.attribute.facts)
        return fact.format(S=mention or cell.thing, V=cell.value, a=article(cell.value))

    def _prose(self, things: Sequence[str], cells: Sequence[_Cell], distractors: float) -> list[_Piece]:
        """Sentences: thing by thing, attribute by attribute, or without any order."""
        order = list(cells)
        if self._family == "contrast" or (self._family != "pronoun" and self._rng.random() < 0.5):
            order.sort(key=lambda cell: cell.attribute.id)
        elif self._family != "pronoun" and self._rng.random() < 0.3:
            self._rng.shuffle(order)
        sentences = self._contrasts(order) if self._family == "contrast" else self._statements(order)
        wanted = sum(self._rng.random() < distractors for _ in cells)
        for remark in self._rng.sample(self._frames.remarks, min(wanted, len(self._frames.remarks))):
            text = sentence_case(remark.format(S=self._rng.choice(things)))
            # Behind the first sentence of a thing nothing may come between it and its pronoun.
            place = len(sentences) if self._family == "pronoun" else self._rng.randint(0, len(sentences))
            sentences.insert(place, _Piece(f"{text} "))
        return sentences

    def _statements(self, order: Sequence[_Cell]) -> list[_Piece]:
        pieces, before = [], None
        for cell in order:
            known = self._family == "pronoun" and cell.thing == before
            text = self._clause(cell, self._kind.pronoun if known else None)
            pieces.append(_Piece(f"{sentence_case(text)}. ", (cell,)))
            before = cell.thing
        return pieces

    def _contrasts(self, order: Sequence[_Cell]) -> list[_Piece]:
        """Two facts a sentence where two things have the attribute."""
        pieces, left = [], list(order)
        while left:
            cell = left.pop(0)
            rival = next((other for other in left if other.attribute is cell.attribute), None)
            if rival is None:
                pieces.append(_Piece(f"{sentence_case(self._clause(cell))}. ", (cell,)))
                continue
            left.remove(rival)
            frame = self._rng.choice(self._frames.contrasts)
            text = frame.format(
                F=self._clause(cell), G=self._clause(rival), S=cell.thing, T=rival.thing, W=rival.value
            )
            pieces.append(_Piece(f"{sentence_case(text)} ", (cell, rival)))
        return pieces

    def _items(self, things: Sequence[str], cells: Sequence[_Cell]) -> list[_Piece]:
        frame, pieces = self._rng.choice(self._frames.items), []
        for thing in things:
            own = tuple(cell for cell in cells if cell.thing == thing)
            pairs = self._frames.pairs_joint.join(
                self._frames.pair.format(label=cell.attribute.label, V=cell.value) for cell in own
            )
            pieces.append(_Piece(frame.format(S=sentence_case(thing), pairs=pairs) + "\n", own))
        return pieces

    def _table(self, things: Sequence[str], cells: Sequence[_Cell]) -> list[_Piece]:
        labels = list(dict.fromkeys(cell.attribute.label for cell in cells))
        joint = self._frames.cell
        pieces = [_Piece(joint.join(sentence_case(name) for name in (self._kind.noun, *labels)) + "\n")]
        for thing in things:
            own = tuple(cell for cell in cells if cell.thing == thing)
            pieces.append(
                _Piece(joint.join([sentence_case(thing), *(cell.value for cell in own)]) + "\n", own)
            )
        return pieces

    def _blocks(self, things: Sequence[str], cells: Sequence[_Cell]) -> list[_Piece]:
        pieces = []
        for thing in things:
            own = tuple(cell for cell in cells if cell.thing == thing)
            lines = [self._frames.block.format(label=cell.attribute.label, V=cell.value) for cell in own]
            pieces.append(_Piece("\n".join([sentence_case(thing), *lines]) + "\n\n", own))
        return pieces
