"""The reads of a state that adapters are trained on: a question, a recitation, a continuation; and their logits.

Training supervises them over many documents, refinement over one. The text itself is nowhere in a read but in
what is to be said: in targets, and in the few words that a continuation starts from.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from dmdoc.memory.state import MemoryState
from dmdoc.model.backbone import Backbone
from dmdoc.model.causal_lm import CausalLM
from dmdoc.model.packing import IGNORED, Packed, Read
from dmdoc.model.prompt import Prompt, load_prompt
from dmdoc.model.reader import Reader

WINDOW_TOKENS = 48
"""The most tokens of the text that one recitation or continuation has to say."""

CONTINUE_WORDS = 8
"""The most words of the text that a continuation starts from."""

CONTINUE_CHARACTERS = 160
"""The most characters of the text that a continuation starts from: some scripts put no blanks between words."""


def answer_read(
    question: str, answer: str, reader: Reader, *, rivals: Sequence[str] = (), shown: str | None = None
) -> Read:
    """A question as `ask` puts it, its answer, and what else might be taken for that.

    Args:
        shown: of the text, in the prompt beside the question, as with `--recall evidence`; None asks the state alone.
    """
    filled = (
        _built_in("answer").fill(question=question)
        if shown is None
        else _built_in("evidence").fill(question=question, document=shown)
    )
    prompt = reader.prompt_ids(filled)
    said, *others = ((*reader.encode(each), reader.end_ids[0]) for each in (answer, *rivals))
    return Read(tuple(prompt), said, tuple(others))


def recite_read(target_ids: Sequence[int], reader: Reader) -> Read:
    """The document from its beginning: `target_ids`, at least one."""
    return Read(tuple(reader.prompt_ids(_built_in("recite").fill())), tuple(target_ids))


def continue_read(
    before: str, target_ids: Sequence[int], reader: Reader, *, words: int = CONTINUE_WORDS
) -> Read:
    """What follows `before`, of which the last `words` alone are given: `target_ids`, at least one."""
    start = " ".join(before[-CONTINUE_CHARACTERS:].split()[-words:])
    return Read(tuple(reader.prompt_ids(_built_in("continue").fill(start=start))), tuple(target_ids))


def read_logits(packed: Packed, state: MemoryState | None, reader: Reader) -> Tensor:
    """What `state` (one document a row; without the adapter if it is None) makes the model say at supervised columns.

    Differentiable in the adapter and the state.

    Returns:
        float32 `[rows, n, vocabulary]`.
    """
    device = reader.backbone.device
    blocks = {}
    if isinstance(reader.backbone.model, CausalLM) and device.type == "cpu":
        blocks = {"block_widths": packed.block_widths}  # a card would have to launch each of them
    with _taking_masks(reader.backbone), reader.reading(state) as model:
        logits: Tensor = model(
            input_ids=packed.input_ids.to(device),
            position_ids=packed.position_ids.to(device),
            attention_mask=packed.attention_mask.to(device),
            logits_to_keep=packed.supervised.to(device),
            use_cache=False,
            **blocks,
        ).logits
    return logits.float()


def token_nats(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each known target, 0 where it is IGNORED: `[rows, n, vocabulary]`, `[rows, n]` → `[rows, n]`.

    Positions that nothing is known of are left out before the softmax: in packed rows they are many.
    """
    known = targets != IGNORED
    nats = functional.cross_entropy(logits[known], targets[known], reduction="none")
    return torch.zeros(targets.shape, device=logits.device).masked_scatter(known, nats)


@cache
def _built_in(name: str) -> Prompt:
    """Read once: a section has hundreds of questions."""
    return load_prompt(name)


@contextmanager
def _taking_masks(backbone: Backbone) -> Iterator[None]:
    """Packed reads need a mask of their own, which flash_attention_2 does not take; decoder.py then takes SDPA."""
    if backbone.attention != "flash_attention_2" or isinstance(backbone.model, CausalLM):
        yield
        return
    backbone.model.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        backbone.model.set_attn_implementation(backbone.attention)
