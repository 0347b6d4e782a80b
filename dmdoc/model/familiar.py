"""Which models and adapters the user has used on this machine, by hash: what a document of others may be asked with.

A saved document says what wrote it, and a document that was imported is a stranger's: it must not choose what is loaded
or downloaded. Kept as one file of hashes and names. Knows nothing about documents or how anything is loaded.
"""

import json
from pathlib import Path

from dmdoc.atomic_file import PRIVATE, write_atomically
from dmdoc.errors import DmdocError
from dmdoc.memory.state_header import Identity
from dmdoc.model.embedded import NAME as EMBEDDED
from dmdoc.model.hub import Kind
from dmdoc.model.registry import is_on_disk

FILE = "models.json"
"""In the user's settings folder."""


class FamiliarModels:
    """What has been used here.

    Args:
        folder: the user's settings folder, which the first note creates.
        cache: where known models are fetched to.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self._file, self._cache = folder / FILE, cache

    def name_of(self, identity: Identity, kind: Kind) -> str | None:
        """What to call a model here, whoever called it what elsewhere; None for one that nobody has used here.

        The embedded model and its adapter are familiar to everybody, and so is a known one that is on this disk.
        """
        noted = self._noted(kind).get(identity.sha256)
        if noted is None and (identity.name == EMBEDDED or is_on_disk(identity.name, kind, self._cache)):
            return identity.name
        return noted

    def note(self, identity: Identity, kind: Kind) -> None:
        """Remember that a model was used, under the name that finds it here.

        Raises:
            DmdocError: it cannot be written.
        """
        noted = self._noted(kind)
        # A model's older hashes are its own; those of an adapter are other adapters, whose place it does not take.
        older = identity.older if kind == "backbone" else ()
        fresh = dict.fromkeys((identity.sha256, *older), identity.name)
        if fresh.items() <= noted.items():
            return
        known = {each: self._noted(each) for each in ("backbone", "adapter")} | {kind: noted | fresh}
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            content = json.dumps(known, indent=2).encode(errors="backslashreplace")
            write_atomically(self._file, content, mode=PRIVATE)
        except OSError as error:
            raise DmdocError(
                f"cannot note in {self._file} which models are used here: {error.strerror or error}"
            ) from error

    def _noted(self, kind: Kind) -> dict[str, str]:
        """Hash → name. A file that says something else says nothing: the models have to be named again."""
        try:
            noted = json.loads(self._file.read_bytes())[kind]
            return {str(sha256): str(name) for sha256, name in noted.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}
