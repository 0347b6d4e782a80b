"""Generated documents full of facts, with their questions, to train, to judge by and to measure with.

The two splits share no name, no company and no phrasing. The same seed gives the same documents.
May import: errors.
Knows nothing about models or files.
"""

from dmdoc.fictional.catalogue import Split, phrasings, relations
from dmdoc.fictional.forms import generate_form
from dmdoc.fictional.generate import FictionalDocument, Question, generate
from dmdoc.fictional.rosters import FAMILIES, FEWEST_ROSTER_FACTS, MOST_ROSTER_FACTS, Family, generate_roster
from dmdoc.fictional.values import own_words

__all__ = [
    "FAMILIES",
    "FEWEST_ROSTER_FACTS",
    "MOST_ROSTER_FACTS",
    "Family",
    "FictionalDocument",
    "Question",
    "Split",
    "generate",
    "generate_form",
    "generate_roster",
    "own_words",
    "phrasings",
    "relations",
]
