"""The words of an English sentence with their parts of speech, by a tagger that needs no model file (TextBlob's)."""

import re
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from itertools import pairwise
from typing import NamedTuple


class Word(NamedTuple):
    """A word with its tag, after the Penn Treebank, and its chunk: B-NP begins a noun phrase, I-NP goes on with it."""

    start: int
    end: int
    text: str
    tag: str
    chunk: str


def tag_words(sentence: str) -> list[Word]:
    """The words and punctuation marks of a sentence, in order; none that the tagger changed."""
    words, start = [], 0
    for token in str(_parser()(sentence)).split():
        escaped, tag, chunk, _ = token.rsplit("/", 3)
        text = escaped.replace("&slash;", "/")
        found = sentence.find(text, start)
        if found >= 0:
            start = found + len(text)
            words.append(Word(found, start, text, tag, chunk))
    return _corrected(words)


@cache
def _parser() -> Callable[[str], object]:
    """TextBlob's parser alone: its package imports NLTK, which imports SciPy and scikit-learn, and takes seconds."""
    package = find_spec("textblob")
    assert package is not None
    known = "textblob" in sys.modules
    sys.modules.setdefault("textblob", module_from_spec(package))  # found, but not run
    try:
        found: Callable[[str], object] = import_module("textblob.en").parse
    finally:
        if not known:
            del sys.modules["textblob"]
    return found


_ROMAN = re.compile("[IVX]{1,5}")
"""A number behind a name: "Attalus I" is no "I"."""


def _corrected(words: list[Word]) -> list[Word]:
    """What the tagger takes for a verb ("a *worn* valve") or for a name ("*Grey* seals returned") is an adjective."""
    for index, (word, noun) in enumerate(pairwise(words)):
        before = words[index - 1].tag if index else ""
        if word.tag in ("VBN", "VBG", "VBD") and before in ("DT", "PRP$") and noun.tag.startswith("NN"):
            words[index] = word._replace(tag="JJ", chunk="B-NP")
            words[index + 1] = noun._replace(chunk="I-NP")
        elif index == 0 and word.tag == "NNP" and noun.tag == "NNS" and noun.text.islower():
            words[index] = word._replace(tag="JJ")
        elif word.tag == "NNP" and _ROMAN.fullmatch(noun.text):
            words[index + 1] = noun._replace(tag="NNP", chunk="I-NP")
    return words
