"""Published documents with questions and right answers: a file or a folder → QuestionedDocuments.

`read` tells the formats apart, each of which has a module; `select` decides what is taken, in which order.
May import: errors, text.
Knows nothing about models or tokens.
"""

from dmdoc.datasets.document import Question, QuestionedDocument
from dmdoc.datasets.gaps import with_gaps
from dmdoc.datasets.json_lines import read_questions
from dmdoc.datasets.read import read_dataset
from dmdoc.datasets.select import Selection, Unit, deal, select
from dmdoc.datasets.swap import swap_values

__all__ = [
    "Question",
    "QuestionedDocument",
    "Selection",
    "Unit",
    "deal",
    "read_dataset",
    "read_questions",
    "select",
    "swap_values",
    "with_gaps",
]
