"""Draws names and values, so that the splits share none where they can and a document repeats none.

Knows the pools in values.toml and nothing about relations or sentences.
"""

import random
import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from dmdoc.fictional.catalogue import SPLITS, Split, read_table

_ATTEMPTS = 24
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_AMOUNT = re.compile(r"(?<![\d:])\d[\d,]*(?![\d:])")
_SHARED_BELOW = 80  # a range of numbers with fewer members is too small to divide between the splits
_MONTH_DAYS = 28


class Exhausted(Exception):
    """No unused value of a pool was found; never leaves this package."""


class Drawer:
    """Draws from the pools of one split without repeating a distinctive value."""

    def __init__(self, rng: random.Random, split: Split) -> None:
        self._rng = rng
        self._split = split
        self._used: set[str] = set()

    def draw(self, pool: str, *, repeat: bool = False) -> str:
        """One value of a pool. Raises Exhausted if none is left, unless values may repeat."""
        patterns = _table()["patterns"]
        if pool in patterns:
            return self.fill(patterns[pool], repeat=repeat)
        values = pool_values(pool, self._split)
        if pool in common_pools():
            return self._rng.choice(values)
        for _ in range(_ATTEMPTS):
            value = self._rng.choice(values)
            key = _key(value)
            if key not in self._used:
                self._used.add(key)
                return value
        if repeat:
            return value
        raise Exhausted(pool)

    def fill(self, pattern: str, *, repeat: bool = False) -> str:
        """Replace every {pool} of a pattern by a value drawn from it."""
        return _PLACEHOLDER.sub(lambda match: self.draw(match[1], repeat=repeat), pattern)

    def item(self, pool: str, taken: Collection[str | None]) -> str:
        """One value of a pool that is not taken, new to the document if there is such a value left."""
        free = [value for value in pool_values(pool, self._split) if value not in taken]
        item = self._rng.choice([value for value in free if _key(value) not in self._used] or free)
        self._used.add(_key(item))
        return item


def article(value: str) -> str:
    """The indefinite article that goes before a value."""
    return "an" if value[0].lower() in "aeiou" and not value.startswith("uni") else "a"


def with_article(value: str, pool: str) -> str:
    """A value as the predicate of any sentence: "a heron", "the harp", "granite"."""
    determiner = _table()["words"].get(pool, {}).get("article")
    if determiner == "a":
        determiner = article(value)
    return f"{determiner} {value}" if determiner else value


@cache
def pool_values(pool: str, split: Split) -> tuple[str, ...]:
    """Every value of a pool in a split; KeyError if there is no such pool."""
    table = _table()
    if pool in table["words"]:
        entry = table["words"][pool]
        return tuple(entry["shared"] if "shared" in entry else entry[split])
    if pool in table["joined"]:
        parts = table["joined"][pool][split]
        return tuple(start + end for start in parts["starts"] for end in parts["ends"])
    return _numbers(table["numbers"][pool], split)


@cache
def own_words(split: Split) -> frozenset[str]:
    """Every lower-case word of the names and values that one split has to itself; numbers are not among them."""
    table = _table()
    pools = [*table["joined"], *(pool for pool in table["words"] if pool not in shared_pools())]
    values = (value for pool in pools for value in pool_values(pool, split))
    return frozenset(word for value in values for word in re.findall(r"[a-z]+", value.lower()))


@cache
def common_pools() -> frozenset[str]:
    """Pools whose values may recur inside a document."""
    return frozenset(pool for pool, entry in _table()["words"].items() if entry.get("common", False))


@cache
def shared_pools() -> frozenset[str]:
    """Pools of words that both splits draw from."""
    return frozenset(pool for pool, entry in _table()["words"].items() if "shared" in entry)


@cache
def _table() -> dict[str, Any]:
    return read_table("values.toml")


def _numbers(entry: Mapping[str, Any], split: Split) -> tuple[str, ...]:
    numbers = range(entry["low"], entry["high"] + 1, entry["step"])
    chosen = [number for number in numbers if len(numbers) < _SHARED_BELOW or _split_of(number) == split]
    return tuple(_written(number, entry["text"]) for number in chosen)


def _split_of(number: int) -> Split:
    """A quarter of all numbers, scattered by a multiplicative hash, belongs to evaluation."""
    train, evaluation = SPLITS
    return evaluation if (number * 2654435761 >> 9) % 4 == 0 else train


def _written(number: int, text: str) -> str:
    if text == "clock":
        return f"{number // 60:02d}:{number % 60:02d}"
    if text == "date":
        return f"{number % _MONTH_DAYS + 1} {pool_values('month', 'train')[number // _MONTH_DAYS]}"
    return text.format(n=number)


def _key(value: str) -> str:
    """What must not recur: the number of an amount or the day of a date, otherwise the value itself."""
    amount = _AMOUNT.search(value)
    return amount[0].replace(",", "") if amount else value.lower()
