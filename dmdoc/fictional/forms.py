"""Forms of every day from a seed: bills, timetables, minutes, letters, lists of prices, with what they leave out.

They are there to judge answers by (dmdoc calibrate), and no recall is measured with them. Knows nothing about tokens.
"""

import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from dmdoc.fictional.catalogue import read_table
from dmdoc.fictional.compose import sentence_case
from dmdoc.fictional.generate import FictionalDocument, Question
from dmdoc.fictional.values import Drawer

LEFT_OUT = 0.3
"""The share of the fields, and of the columns, that a document leaves out; they are asked for all the same."""

FEWEST_ROWS, MOST_ROWS = 3, 7
FLOORS = ("first", "second", "third", "fourth", "fifth")
_GENERAL_RATE = 0.25


class _Form:
    """Draws one document."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._drawer = Drawer(rng, "train")
        self._kind: dict[str, Any] = rng.choice(form_kinds())
        self._frames = read_table("forms.toml")["frames"]
        self.name: str = self._kind["name"]
        self.title = self._fill(rng.choice(self._kind["titles"]))
        self.questions: list[Question] = []
        self.missing: list[str] = []

    def text(self) -> str:
        parts = [self.title, self._fill(self._rng.choice(self._kind["openings"]))]
        blocks = [self._lines(), *([self._table()] if "table" in self._kind else [])]
        self._rng.shuffle(blocks)
        parts += [*blocks, self._fill(self._rng.choice(self._kind["closings"]))]
        return "\n\n".join(part for part in parts if part)

    def _fill(self, pattern: str) -> str:
        return sentence_case(self._drawer.fill(pattern, repeat=True))

    def _draw(self, pool: str) -> str:
        return self._rng.choice(FLOORS) if pool == "floor" else self._drawer.draw(pool, repeat=True)

    def _kept(self, entries: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """What a document says, in order, and what it leaves out."""
        out = self._rng.sample(range(len(entries)), max(1, round(LEFT_OUT * len(entries))))
        return (
            [each for row, each in enumerate(entries) if row not in out],
            [each for row, each in enumerate(entries) if row in out],
        )

    def _ask(self, entry: dict[str, Any], thing: str = "") -> str:
        label = entry["label"]
        wording: str = self._rng.choice(entry["asks"])
        if thing and entry.get("named", True) and self._rng.random() < _GENERAL_RATE:
            wording = self._rng.choice(self._frames["asks"]).format(label=label, S="{S}")
        return sentence_case(wording.format(S=thing, N=self.name))

    def _lines(self) -> str:
        kept, left_out = self._kept([{"label": [], **entry} for entry in self._kind["lines"]])
        self.missing += [self._ask(entry) for entry in left_out]
        labelled = self._rng.random() < 0.5 and all(entry["label"] for entry in kept)
        frame, said = self._rng.choice(self._frames["labels"]), []
        for entry in kept:
            value = self._draw(entry["value"])
            self._answered(self._ask(entry), value, entry["asks"][0])
            wording = frame if labelled else self._rng.choice(entry["says"])
            label = self._rng.choice(entry["label"]) if labelled else ""
            said.append(sentence_case(wording.format(label=label, V=value)))
        return ("\n" if labelled else self._rng.choice((" ", "\n"))).join(said)

    def _table(self) -> str:
        table = self._kind["table"]
        columns, left_out = self._kept(table["columns"])
        pattern = self._rng.choice(table["rows"])
        things: list[str] = []
        count = self._rng.randint(FEWEST_ROWS, MOST_ROWS)
        while len(things) < count:
            name = self._drawer.fill(pattern, repeat=True)
            if name not in things:
                things.append(name)
        rows = [(thing, [self._draw(column["value"]) for column in columns]) for thing in things]
        for thing, values in rows:
            column = self._rng.randrange(len(columns))
            question = self._ask(columns[column], thing)
            self._answered(question, values[column], columns[column]["label"], thing)
        for thing in self._rng.sample(things, min(len(things), 2)):
            self.missing.append(self._ask(self._rng.choice(left_out), thing))
        heads = [table["noun"], *(column["label"] for column in columns)]
        return "\n".join(self._rows(heads, rows))

    def _rows(self, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> Iterator[str]:
        """A table, a list, or lines as a table of a spreadsheet is read."""
        joint = self._rng.choice([*self._frames["cells"], ""])
        if joint == ";":
            for thing, values in rows:
                cells = zip(heads, (thing, *values), strict=True)
                yield "- " + "; ".join(f"{head}: {value}" for head, value in cells)
        elif joint:
            yield joint.join(sentence_case(head) for head in heads)
            yield from (joint.join((sentence_case(thing), *values)) for thing, values in rows)
        else:
            item, pair = self._rng.choice(self._frames["items"]), self._rng.choice(self._frames["pairs"])
            for thing, values in rows:
                pairs = (
                    pair.format(label=head, V=value) for head, value in zip(heads[1:], values, strict=True)
                )
                yield item.format(S=sentence_case(thing), pairs=", ".join(pairs))

    def _answered(self, question: str, answer: str, attribute: str, about: str = "") -> None:
        attribute = f"{self.name}.{attribute}"
        self.questions.append(Question(question, answer, None, 0.0, (), attribute=attribute, about=about))


def generate_form(seed: int) -> FictionalDocument:
    """A form, its questions, and some that it does not answer; the same seed gives the same form."""
    form = _Form(random.Random(f"form {seed}"))
    text = form.text()
    return FictionalDocument(
        title=form.title.partition("\n")[0],
        kind=form.name,
        text=text,
        questions=tuple(form.questions),
        missing=tuple(dict.fromkeys(form.missing)),
    )


@cache
def form_kinds() -> tuple[dict[str, Any], ...]:
    """Every kind of form, in the order of the file."""
    return tuple(read_table("forms.toml")["kinds"])
