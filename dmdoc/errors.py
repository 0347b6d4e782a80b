"""The error tree. Every error a user can meet is one of these; the CLI prints its line and exits with its code.

    DmdocError                     1   anything below; also raised for what has no better name
    ├── UsageError                 2   an option or argument that cannot be right
    ├── DocumentNotFoundError      3   no such saved document, or it has no finished state
    ├── UnsupportedError           4   an answer is neither sure nor likely, and --strict was asked for
    ├── ExtractionError            5   the source is empty, binary, encrypted, scanned, or unreadable
    ├── ModelError                 6   a backbone or adapter is missing or of another kind
    │   ├── BackboneError              the frozen model: not found, not supported, will not run here
    │   ├── AdapterError               the δ-mem adapter: not found, refused by name, does not fit
    │   └── IdentityError              a saved state was written by another backbone, adapter or tokenizer
    ├── PartialFailureError        7   some of many documents or questions failed; the others are done
    ├── DamagedError               1   a saved document whose files are damaged or missing
    ├── BundleError                1   a .dmdoc file that is damaged, altered, or not ours
    ├── StateFileError             1   a state file that is truncated, altered, or not ours
    │   └── StateVersionError          a state file from a newer dmdoc
    ├── StateShapeError            1   a state whose batch, heads, rank, dtype or device does not fit
    └── TrainingError              1   a training configuration or dataset that cannot be trained on

Exit code 130 is a run that the user interrupted, 70 an error that nobody foresaw.
This module knows nothing about how errors are shown.
"""

EXIT_INTERRUPTED = 130
EXIT_UNFORESEEN = 70


class DmdocError(Exception):
    """Base of the tree. The message is one line: what happened, what was expected, what to do next."""

    exit_code = 1


class UsageError(DmdocError):
    exit_code = 2


class DocumentNotFoundError(DmdocError):
    exit_code = 3


class UnsupportedError(DmdocError):
    exit_code = 4


class ExtractionError(DmdocError):
    exit_code = 5


class ModelError(DmdocError):
    exit_code = 6


class BackboneError(ModelError):
    pass


class AdapterError(ModelError):
    pass


class IdentityError(ModelError):
    pass


class PartialFailureError(DmdocError):
    exit_code = 7


class DamagedError(DmdocError):
    pass


class BundleError(DmdocError):
    pass


class StateFileError(DmdocError):
    pass


class StateVersionError(StateFileError):
    pass


class StateShapeError(DmdocError):
    pass


class TrainingError(DmdocError):
    pass
