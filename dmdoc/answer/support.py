"""Whether a state decided an answer: the answer's likelihood under it, held against that under an empty state.

An answer that is as likely from a state that has read nothing comes from the backbone and the question, not from
the document. One that the state lifts without being sure of it is a guess in the document's manner: with the adapters
measured so far, right and wrong answers are lifted alike, and what tells them apart is how likely they are in the end.
Both are signals among others (signals.py). Knows nothing about how an answer was made.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dmdoc.memory.state import MemoryState
from dmdoc.model.batching import in_batches
from dmdoc.model.reader import Reader

LOGIT_TOKENS = 1024
"""Tokens of a batch whose logits are wanted, which take 200 KB each with a vocabulary of 50,000."""


@dataclass(frozen=True)
class Support:
    """What a state has to do with an answer, in nats a token."""

    log_likelihood: float
    """Of the answer under the state: 0 is certain."""
    lift: float
    """How much likelier the state makes it than an empty one does. Around 0: the state had no part in it."""


def log_likelihoods(
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    state: MemoryState | None,
    reader: Reader,
) -> Tensor:
    """Mean log-probability of each answer's tokens after its prompt, in nats a token; 0 for an empty answer.

    Args:
        state: a row for each prompt; None is the frozen backbone.

    Returns:
        float32 `[rows]`, on the model's device.
    """
    if not prompts:
        return torch.zeros(0, device=reader.backbone.device)

    def together(rows: Sequence[int]) -> list[Tensor]:
        own = None if state is None else state.select(torch.tensor(rows, device=state.device))
        found = _log_likelihoods([prompts[row] for row in rows], [answers[row] for row in rows], own, reader)
        return list(found.unbind())

    lengths = [len(prompt) + len(answer) for prompt, answer in zip(prompts, answers, strict=True)]
    return torch.stack(in_batches(together, lengths, most=LOGIT_TOKENS))


def _log_likelihoods(
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    state: MemoryState | None,
    reader: Reader,
) -> Tensor:
    """As `log_likelihoods`, all rows in one pass."""
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


def supports(
    prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], state: MemoryState, reader: Reader
) -> list[Support]:
    """What each row of the state has to do with the answer to its prompt; all rows and the empty state in one pass."""
    both = MemoryState.cat((state, reader.zero_state(state.batch)))
    found = log_likelihoods([*prompts, *prompts], [*answers, *answers], both, reader).tolist()
    pairs = zip(found[: state.batch], found[state.batch :], strict=True)
    return [Support(own, own - empty) for own, empty in pairs]
