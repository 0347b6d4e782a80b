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
    return log_likelihoods([prompt_ids] * rows, [answer_ids] * rows, state, reader)


def log_likelihoods(
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    state: MemoryState | None,
    reader: Reader,
) -> Tensor:
    """As `log_likelihood`, with a prompt and an answer for each row; without a state there may be many rows too."""
    device = reader.backbone.device
    counts = torch.tensor([len(answer) for answer in answers], device=device)
    longest = int(counts.max())
    if longest == 0:
        return torch.zeros(len(answers), device=device)
    # Padding stands on the right, so no answer sees it. The last token's own logits would say what follows the answer.
    rows = [[*prompt, *answer[:-1]] for prompt, answer in zip(prompts, answers, strict=True)]
    first = min(map(len, prompts)) - 1
    kept = max(map(len, rows)) - first
    with torch.no_grad(), reader.reading(state) as model:
        logits = model(input_ids=reader.pad(rows, 0), use_cache=False, logits_to_keep=kept).logits
    starts = torch.tensor([len(prompt) - 1 - first for prompt in prompts], device=device)
    places = torch.arange(longest, device=device)
    columns = (starts.unsqueeze(1) + places).clamp_max(kept - 1)  # [rows, longest]
    logits = logits[torch.arange(len(rows), device=device).unsqueeze(1), columns].float()
    targets = reader.pad(answers, 0).unsqueeze(-1)
    said: Tensor = logits.log_softmax(-1).gather(-1, targets).squeeze(-1)
    return (said * (places < counts.unsqueeze(1))).sum(1) / counts.clamp_min(1)


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


def lifts(
    prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], state: MemoryState, reader: Reader
) -> Tensor:
    """As `lift`, with a prompt and an answer for each row of the state."""
    both = MemoryState.cat((state, reader.zero_state(state.batch)))
    likelihoods = log_likelihoods([*prompts, *prompts], [*answers, *answers], both, reader)
    return likelihoods[: state.batch] - likelihoods[state.batch :]
