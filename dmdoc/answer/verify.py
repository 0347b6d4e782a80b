"""Prove that a saved document is whole: its text and state as they were hashed, and a state that says something.

Knows nothing about where documents are kept.
"""

import torch
from torch import Tensor

from dmdoc.answer.ask import load_state
from dmdoc.errors import StateFileError
from dmdoc.library.saved_document import SavedDocument
from dmdoc.memory.state import MemoryState
from dmdoc.model.reader import Reader

PROBE = "What does the document say?"
"""Any prompt will do: a state changes what the model says to all of them."""


def verify(saved: SavedDocument, reader: Reader) -> float:
    """Hash the text and the state again, load the state, and compare the model's output with and without it.

    Returns:
        The probability, from 0 to 1, that the state moves to other first tokens of an answer; above 0.

    Raises:
        IdentityError: another backbone, adapter or tokenizer wrote the state.
        DmdocError, StateFileError: the text or the state is damaged, or the state changes nothing.
    """
    saved.pages()
    state = load_state(saved, reader)
    empty = _first_token(reader, reader.zero_state())
    rows = (state.select(torch.tensor([row], device=state.device)) for row in range(state.batch))
    moved = min(float((_first_token(reader, row) - empty).abs().sum() / 2) for row in rows)
    if moved == 0:
        raise StateFileError(f"the state of {saved.name!r} changes nothing; read the document again")
    return moved


def _first_token(reader: Reader, state: MemoryState) -> Tensor:
    """The probabilities of the first token of an answer: `[vocabulary]`, float32."""
    ids = torch.tensor([reader.prompt_ids([{"role": "user", "content": PROBE}])], device=state.device)
    with torch.no_grad(), reader.reading(state) as model:
        logits: Tensor = model(input_ids=ids, use_cache=False).logits[0, -1]
    return logits.float().softmax(-1)
