"""Whether a state decided an answer: the answer's likelihood under it, held against that under an empty state.

An answer that is as likely from a state that has read nothing comes from the backbone and the question, not from
the document. Knows nothing about how an answer was made or from which lift on it may be trusted.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from dmdoc.memory_state import MemoryState
from dmdoc.reader import Reader


def log_likelihood(
    prompt_ids: Sequence[int], answer_ids: Sequence[int], state: MemoryState | None, reader: Reader
) -> Tensor:
    """Mean log-probability of the answer's tokens after the prompt, in nats a token; 0 for an empty answer.

    Args:
        state: one document a row, all read in one pass; None is the frozen backbone, one row.

    Returns:
        float32 `[batch]`, on the model's device.
    """
    rows = 1 if state is None else state.batch
    if not answer_ids:
        return torch.zeros(rows, device=reader.backbone.device)
    # The last token's own logits would say what follows the answer.
    ids = torch.tensor([[*prompt_ids, *answer_ids[:-1]]] * rows, device=reader.backbone.device)
    with torch.no_grad(), reader.reading(state) as model:
        logits = model(input_ids=ids, use_cache=False, logits_to_keep=len(answer_ids)).logits
    targets = torch.tensor(list(answer_ids), device=logits.device).expand(rows, -1).unsqueeze(-1)
    said: Tensor = logits.float().log_softmax(-1).gather(-1, targets)  # [batch, answer, 1]
    return said.mean(dim=(1, 2))


def lift(prompt_ids: Sequence[int], answer_ids: Sequence[int], state: MemoryState, reader: Reader) -> Tensor:
    """How much likelier each document's state makes the answer than an empty one does, in nats a token.

    All states and the empty one are read in one pass.

    Args:
        state: one document a row.

    Returns:
        float32 `[batch]`, on the model's device. Around 0: the state had no part in the answer.
    """
    both = MemoryState.cat((state, reader.zero_state()))
    likelihoods = log_likelihood(prompt_ids, answer_ids, both, reader)
    return likelihoods[:-1] - likelihoods[-1]
