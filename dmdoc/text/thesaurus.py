"""What is known of English words: their base forms, the words derived from them, and their synonyms.

From WordNet 3.1 (wordnet.princeton.edu), as tests/write_thesaurus.py chooses it; its licence lies beside. A word that
it does not have has neither forms nor synonyms here.
"""

import gzip
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("thesaurus.gz")

_ENDINGS = {
    "s": ("",),
    "es": ("",),
    "ies": ("y",),
    "ves": ("f",),
    "d": ("",),
    "ed": ("",),
    "ied": ("y",),
    "ing": ("", "e"),
}
"""What an English form may end in, and what stands there in the word itself."""

_COMPARED = {"r": ("",), "er": ("",), "ier": ("y",), "st": ("",), "est": ("",), "iest": ("y",)}
"""The same of adjectives. A word that is known by itself is no such form: an employer is not more employ."""

_LAST = frozenset(ending[-1] for ending in (*_ENDINGS, *_COMPARED))

SHORTEST = 3
"""Letters of a word that an ending stands behind."""

KEPT = 1 << 15
"""Words whose forms are kept: those of a long text, or of many questions."""


@lru_cache(maxsize=KEPT)
def bases(word: str) -> frozenset[str]:
    """The words that one in lower case may be a form of, itself among them if it is known; none if it is not."""
    irregular, related = _tables()
    found = {word, *irregular.get(word, "").split()}
    if word[-1] in _LAST:
        found.update(_without_ending(word, _ENDINGS if word in related else _ENDINGS | _COMPARED))
    return frozenset(found & related.keys())


def is_known(word: str) -> bool:
    """Whether a word in lower case is an English one that is not rare; most names are none."""
    return bool(bases(word))


@lru_cache(maxsize=KEPT)
def family(word: str) -> frozenset[str]:
    """Its bases, and the words that they are derived from or that are derived from them: "owner" of "owned"."""
    return frozenset(each for base in bases(word) for each in (base, *_part(base, 0)))


@lru_cache(maxsize=KEPT)
def synonyms(word: str) -> frozenset[str]:
    """Bases that often mean the same, and of other families: "start" of "begin", "construction" of "built"."""
    return frozenset(each for base in bases(word) for each in _part(base, 1)) - family(word)


def _without_ending(word: str, endings: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for ending, instead in endings.items():
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= SHORTEST - 1:
            yield from (stem + each for each in instead)
            if ending[0] in "ei" and stem[-1] == stem[-2]:
                yield stem[:-1]


def _part(word: str, number: int) -> list[str]:
    return _tables()[1][word].split("\t")[number].split()


@cache
def _tables() -> tuple[dict[str, str], dict[str, str]]:
    """Of irregular forms their bases, and of all words their families and, behind a tab, their synonyms."""
    text = gzip.decompress(FILE.read_bytes()).decode("ascii")
    irregular, related = (part.split("\n") for part in text.split("\n\n"))
    return _table(*irregular), _table(*related)


def _table(words: str, *values: str) -> dict[str, str]:
    return dict(zip(words.split(" "), values, strict=True))
