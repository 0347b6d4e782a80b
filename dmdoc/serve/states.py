"""States of saved documents that were asked lately, in memory, bounded by bytes."""

from collections import OrderedDict

from dmdoc.answer.ask import load_state
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.state import MemoryState
from dmdoc.model.reader import Reader

Key = tuple[str, str, str, int]


class StateCache:
    """Used by one thread. What was replaced or removed on the disk is never answered from."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Key, MemoryState] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, saved: SavedDocument, reader: Reader) -> MemoryState:
        """The state of a document as it was just looked up.

        Raises:
            IdentityError, StateFileError: as `load_state`.
        """
        # A document that was read again has another text, or was written at another time.
        key = (saved.name, saved.sha256, saved.header().created, id(reader))
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        for older in [each for each in self._kept if each[0] == saved.name and each[3] == id(reader)]:
            self._drop(older)
        state = load_state(saved, reader)
        if _size(state) <= self._most_bytes:
            self._kept[key] = state
            self.bytes += _size(state)
            while self.bytes > self._most_bytes:
                self._drop(next(iter(self._kept)))
        return state

    def _drop(self, key: Key) -> None:
        self.bytes -= _size(self._kept.pop(key))


def _size(state: MemoryState) -> int:
    vectors = 0 if state.vectors is None else state.vectors.numbers
    return sum(layer.nbytes for layer in state.layers) + vectors
