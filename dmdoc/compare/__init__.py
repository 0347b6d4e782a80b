"""The same questions with and without the memory: what the state adds, beside honest controls.

cases → run → scoring → results_file → summary → report.
May import: errors, atomic_file, progress, settings, text, fictional, datasets, memory, model, library, ingest, answer.
Knows nothing about where data sets come from or how a terminal shows figures.
"""

from dmdoc.compare.cases import Cases, dataset_cases, generated_documents, saved_case
from dmdoc.compare.charts import size
from dmdoc.compare.reliability import calibration_error, levels, rated
from dmdoc.compare.report import html_report
from dmdoc.compare.results import MODES, Mode, Result, Skipped, check_modes, describe_skipped
from dmdoc.compare.results_file import ResultsFile
from dmdoc.compare.run import compare
from dmdoc.compare.summary import Estimate, Part, Summary, by_position, summarise

__all__ = [
    "MODES",
    "Cases",
    "Estimate",
    "Mode",
    "Part",
    "Result",
    "ResultsFile",
    "Skipped",
    "Summary",
    "by_position",
    "calibration_error",
    "check_modes",
    "compare",
    "dataset_cases",
    "describe_skipped",
    "generated_documents",
    "html_report",
    "levels",
    "rated",
    "saved_case",
    "size",
    "summarise",
]
