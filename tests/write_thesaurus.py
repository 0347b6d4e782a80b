"""Writes what dmdoc knows of English words, dmdoc/text/thesaurus.gz, from the files of WordNet (text/thesaurus.py).

    python tests/write_thesaurus.py FOLDER

The folder holds WordNet's data.*, index.sense and *.exc. How much two words mean the same is reckoned from how often
each was found in each of its senses: the share of the one's uses in a sense times the other's in the same, over all
senses that they share.
"""

import argparse
import gzip
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from dmdoc.text.thesaurus import FILE
from dmdoc.text.words import begin_alike

FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
KINDS = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
RELATED = {"+", "\\", "<", "="}
"""WordNet's signs for what is derived from a word, pertains to it, is its participle, or the quality it measures."""

LEAST_DERIVED = 0.01
LEAST_SYNONYM = 0.03
"""Of the shares that two words have in common."""

UNSEEN = 0.5
"""What a sense counts beside its uses, the second half of that, and so on: most were never counted."""

_WORD = re.compile(r"[a-z]{2,}")

Sense = tuple[str, int]
Links = dict[str, dict[str, float]]

OWN = """
clean wash; leave departure; pay payable; sell sale; treasurer treasury
"""
"""Words of one family that WordNet does not join, or thinks far apart."""


class WordNet:
    """Its words of one part, with their senses.

    Args:
        folder: that holds its files.
    """

    def __init__(self, folder: Path) -> None:
        self._uses: dict[str, dict[Sense, float]] = defaultdict(dict)
        for line in _lines(folder / "index.sense"):
            key, place, number, count = line.split()
            word, _, rest = key.partition("%")
            if _WORD.fullmatch(word):
                self._uses[word][KINDS[rest[0]], int(place)] = int(count) + UNSEEN / int(number)
        self._words: dict[Sense, list[str]] = {}
        self._pointers: dict[Sense, list[tuple[Sense, int, int]]] = {}
        for kind, name in FILES.items():
            for line in _lines(folder / f"data.{name}"):
                if not line.startswith("  "):
                    self._read(kind, line.split(" | ")[0].split())
        self.shares = cache(self._shares)

    def _read(self, kind: str, fields: list[str]) -> None:
        sense, count = (kind, int(fields[0])), int(fields[3], 16)
        self._words[sense] = [fields[4 + 2 * number].partition("(")[0].lower() for number in range(count)]
        found = self._pointers[sense] = []
        rest = fields[5 + 2 * count :]
        for number in range(int(fields[4 + 2 * count])):
            sign, place, other, ends = rest[4 * number : 4 * number + 4]
            if sign in RELATED:
                found.append(((other, int(place)), int(ends[:2], 16), int(ends[2:], 16)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._uses)

    def __contains__(self, word: str) -> bool:
        return word in self._uses

    def is_common(self, word: str) -> bool:
        """Whether it was counted anywhere."""
        return sum(self._uses[word].values()) >= 1 + UNSEEN

    def _shares(self, word: str) -> dict[Sense, float]:
        total = sum(self._uses[word].values())
        return {sense: count / total for sense, count in self._uses[word].items()}

    def synonyms(self, word: str) -> Iterator[tuple[str, float]]:
        for sense, share in self.shares(word).items():
            for other in self._words[sense]:
                if other != word and other in self:
                    yield other, share * self.shares(other).get(sense, 0.0)

    def derived(self, word: str) -> Iterator[tuple[str, float]]:
        for sense, share in self.shares(word).items():
            for to, own, other_end in self._pointers[sense]:
                if own and self._words[sense][own - 1] != word:
                    continue
                for number, other in enumerate(self._words[to], 1):
                    if other_end in (0, number) and other != word and other in self:
                        yield other, share * self.shares(other).get(to, 0.0)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def links(net: WordNet) -> tuple[Links, Links]:
    """Of each word those derived from it, or it from them, and its synonyms; both go both ways.

    What is derived from a rare word is left out where it begins as that does: so it is known without.
    """
    families: Links = defaultdict(dict)
    synonyms: Links = defaultdict(dict)
    for word in net:
        for found, table, least in (
            (net.derived(word), families, LEAST_DERIVED),
            (net.synonyms(word), synonyms, LEAST_SYNONYM),
        ):
            own: dict[str, float] = defaultdict(float)
            for other, share in found:
                own[other] += share
            for other, share in own.items():
                common = net.is_common(word) + net.is_common(other)
                if share >= least and (common == 2 or (table is families and not begin_alike(word, other))):
                    table[word][other] = table[other][word] = max(share, table[other].get(word, 0.0))
    for group in OWN.split(";"):
        one, *others = group.split()
        for other in others:
            families[one][other] = families[other][one] = 1.0
    return families, synonyms


def beyond(word: str, families: Links, synonyms: Links) -> dict[str, float]:
    """Its synonyms, those of its family, and the families of its synonyms: "construction" for "build"."""
    found = dict(synonyms.get(word, {}))
    for first, second in ((families, synonyms), (synonyms, families)):
        for middle, share in first.get(word, {}).items():
            for other, more in second.get(middle, {}).items():
                both = min(1.0, share) * min(1.0, more)
                if both >= LEAST_SYNONYM and other != word:
                    found[other] = max(both, found.get(other, 0.0))
    return found


def irregular(folder: Path, known: set[str]) -> Iterator[tuple[str, str]]:
    for name in FILES.values():
        for line in _lines(folder / f"{name}.exc"):
            form, *words = line.split()
            if _WORD.fullmatch(form) and (
                words := [word for word in words if word in known and word != form]
            ):
                yield form, " ".join(words)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    net = WordNet(folder)
    families, synonyms = links(net)
    known = {word for word in net if net.is_common(word)} | set(families)
    related = {}
    for word in sorted(known):
        own = families.get(word, {})
        others = [each for each in beyond(word, families, synonyms) if each in known and each not in own]
        related[word] = "\t".join((" ".join(sorted(own)), " ".join(sorted(others))))
    forms = dict(sorted(irregular(folder, known)))
    text = "\n\n".join("\n".join((" ".join(each), *each.values())) for each in (forms, related))
    FILE.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{len(related)} words, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
