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
    return log_likelihoods(prompt_ids, [answer_ids] * rows, state, reader)


def log_likelihoods(
    prompt_ids: Sequence[int],
    answers: Sequence[Sequence[int]],
    state: MemoryState | None,
    reader: Reader,
) -> Tensor:
    """As `log_likelihood`, with an answer for each row."""
    counts = torch.tensor([len(answer) for answer in answers], device=reader.backbone.device)
    longest = int(counts.max())
    if longest == 0:
        return torch.zeros(len(answers), device=reader.backbone.device)
    # What stands behind a shorter answer is not seen by it, and is not counted.
    targets = reader.pad(answers, 0)
    prompts = torch.tensor([list(prompt_ids)] * len(answers), device=reader.backbone.device)
    # The last token's own logits would say what follows the answer.
    ids = torch.cat((prompts, targets[:, :-1]), dim=1)
    with torch.no_grad(), reader.reading(state) as model:
        logits = model(input_ids=ids, use_cache=False, logits_to_keep=longest).logits
    said: Tensor = logits.float().log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    counted = torch.arange(longest, device=counts.device) < counts.unsqueeze(1)  # [batch, answer]
    return (said * counted).sum(1) / counts.clamp_min(1)


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
