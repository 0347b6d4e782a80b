"""Fictional documents full of facts with their questions, to train and to evaluate a memory adapter.

The two splits share no name, no company and no phrasing. Deterministic; needs the standard library alone.
"""

from dmdoc.fictional.catalogue import Split, phrasings, relations
from dmdoc.fictional.generate import FictionalDocument, Question, generate
from dmdoc.fictional.values import own_words

__all__ = ["FictionalDocument", "Question", "Split", "generate", "own_words", "phrasings", "relations"]
