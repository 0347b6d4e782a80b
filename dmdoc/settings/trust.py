"""Which project files a user has trusted, each with the content that it then had.

Kept in the user's own folder, never beside the file: whoever writes the file must not be able to trust it. Knows
nothing about what a file says.
"""

import hashlib
import json
from pathlib import Path

from dmdoc.atomic_file import PRIVATE, write_atomically
from dmdoc.errors import DmdocError, UsageError

TRUSTED_FILE = "trusted.json"


class Trust:
    """What the user with this settings folder trusts."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / TRUSTED_FILE

    def covers(self, file: Path, content: bytes) -> bool:
        """Whether the file was trusted with exactly this content.

        Raises:
            UsageError: what is known of trusted files cannot be read.
        """
        return self._known().get(_key(file)) == _hash(content)

    def add(self, file: Path, content: bytes) -> None:
        """Trust the file with this content; another content of it is no longer trusted.

        Raises:
            UsageError: as `covers`.
            DmdocError: it cannot be written.
        """
        known = self._known() | {_key(file): _hash(content)}
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._file, (json.dumps(known, indent=2) + "\n").encode(), mode=PRIVATE)
        except OSError as error:
            raise DmdocError(
                f"cannot write {self._file}: {error.strerror or error}; check the folder"
            ) from error

    def _known(self) -> dict[str, str]:
        try:
            known = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(
                f"cannot read {self._file}: {error}; remove it and trust your files again"
            ) from error
        if not isinstance(known, dict):
            raise UsageError(
                f"{self._file} is not a list of trusted files; remove it and trust your files again"
            )
        return known


def _key(file: Path) -> str:
    return str(file.absolute()).encode(errors="backslashreplace").decode()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
