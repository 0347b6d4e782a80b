"""A refinement that is under way, kept beside the batches that are done, so that a killed ingest loses seconds of it.

The file is safetensors behind the SHA-256 of its bytes. Knows nothing about how a step is taken.
"""

import hashlib
import json
import time
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save

from dmdoc.ingest.task import fits
from dmdoc.library.library import Library
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.state_header import StateHeader
from dmdoc.refine.steps import Halfway

KEEP_SECONDS = 5.0
"""After so long the next step is kept; that takes a hundredth of it."""

_DIGEST = hashlib.sha256().digest_size


class Refining:
    """The refinement of the batch of sections that is written after the first `before`.

    Args:
        header: of the states of the batch.
    """

    def __init__(self, library: Library, staged: SavedDocument, before: int, header: StateHeader) -> None:
        self._library, self._staged, self._before, self._header = library, staged, before, header
        self._kept = time.monotonic()

    def keep(self, halfway: Halfway) -> None:
        """Keep the steps that are taken, unless others were kept just now.

        Raises:
            DmdocError: the disk says no, or another process staged the document anew.
        """
        if time.monotonic() - self._kept < KEEP_SECONDS:
            return
        metadata = {"header": self._header.to_json(), "steps": str(halfway.steps)}
        content = save({name: tensor.contiguous() for name, tensor in halfway.tensors.items()}, metadata)
        self._library.save_refining(self._staged, self._before, hashlib.sha256(content).digest() + content)
        self._kept = time.monotonic()

    def begun(self) -> Halfway | None:
        """What an interrupted ingest kept of it; None if that is damaged, or of another refinement."""
        try:
            kept = Path(self._staged.refining_path(self._before)).read_bytes()
            content = kept[_DIGEST:]
            if hashlib.sha256(content).digest() != kept[:_DIGEST]:
                return None
            length = int.from_bytes(content[:8], "little")
            metadata = json.loads(content[8 : 8 + length])["__metadata__"]
            header = StateHeader.from_json(metadata["header"])
            halfway = Halfway(int(metadata["steps"]), load(content))
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            return None
        same = header.sections == self._header.sections and fits(header, self._header)
        return halfway if same and halfway.is_whole else None
