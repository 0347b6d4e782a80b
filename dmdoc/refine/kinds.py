"""What kind of thing a phrase is ("sandstone": material), so that it can be asked for as people ask: "which material?".

The frozen model says it, shown a few examples, and picks one of `KINDS`. Knows nothing about states or questions.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from dmdoc.model.continuations import pack_continuations
from dmdoc.model.reader import Reader
from dmdoc.model.reads import read_logits

_EXAMPLES = """\
The chapel was built of iron. iron: material
John Smith wrote the letter. John Smith: person
A statue of a horse stands there. horse: animal
Her house is in Vienna. Vienna: town
The door is painted red. red: colour
They signed with Nestle Foods. Nestle Foods: company
She plays the piano. piano: instrument
He works as a teacher. teacher: job
The council approved the plan. plan: idea
They ate soup. soup: food
He wore a green hat. green: colour
The rate was low. low: quality
Climbers come in spring. climbers: people
"""

KINDS = (
    "person", "people", "company", "organisation", "town", "country", "place", "building", "animal", "colour",
    "material", "drink", "food", "plant", "instrument", "game", "sport", "job", "vehicle", "machine", "product",
    "language", "day", "event", "book", "film", "law", "disease", "group", "quality", "thing", "idea",
)  # fmt: skip
"""No two begin with the same token in the tokenizers that are known."""

PASS_PHRASES = 48
"""Phrases in one forward pass. Those of one sentence share its tokens, and all share the examples."""

CONTEXT_CHARACTERS = 400
"""The most of a sentence that the model is shown with a phrase; hardly a sentence has more."""


def name_kinds(phrases: Sequence[tuple[str, str]], reader: Reader) -> list[str]:
    """Of each (sentence, phrase of it) one of `KINDS`: the likeliest by its first token."""
    first = torch.tensor([reader.encode(f" {kind}")[0] for kind in KINDS])
    named: list[str] = []
    for start in range(0, len(phrases), PASS_PHRASES):
        # What follows the colon is not known yet: any token stands for it.
        behind = [
            [*reader.encode(f"{_around(phrase, sentence)} {phrase}:"), 0]
            for sentence, phrase in phrases[start : start + PASS_PHRASES]
        ]
        packed = pack_continuations(
            [reader.encode(_EXAMPLES)], [behind], pad_id=0, dtype=reader.backbone.dtype
        )
        colons = [
            columns[len(each) - 1] for columns, each in zip(packed.columns[0].tolist(), behind, strict=True)
        ]
        asked = sorted(set(colons))
        with torch.no_grad():
            logits = read_logits(replace(packed, supervised=packed.supervised[asked]), None, reader)[0].cpu()
        rows = [asked.index(colon) for colon in colons]
        named += [KINDS[kind] for kind in logits[rows][:, first].argmax(-1).tolist()]
    return named


def _around(phrase: str, sentence: str) -> str:
    start = min(sentence.find(phrase) - CONTEXT_CHARACTERS // 2, len(sentence) - CONTEXT_CHARACTERS)
    return sentence[max(0, start) :][:CONTEXT_CHARACTERS]
