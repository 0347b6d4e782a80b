"""Documents with questions and right answers, to measure with: a file or a folder → QuestionedDocuments.

One module a format: json_lines, squad, locomo, qasper; `read` tells them apart by what is in the file. What is
taken of a dataset, and in which order, is decided in select.py. Knows nothing about models or tokens.
"""

from dmdoc.datasets.document import Question, QuestionedDocument
from dmdoc.datasets.json_lines import read_questions
from dmdoc.datasets.read import read_dataset
from dmdoc.datasets.select import Selection, Unit, deal, select

__all__ = [
    "Question",
    "QuestionedDocument",
    "Selection",
    "Unit",
    "deal",
    "read_dataset",
    "read_questions",
    "select",
]
