"""A prompt, then one token after another through a decoder: with room that grows, or with all of it fixed for a card.

A card waits for the launches of a step's many small operations. `FixedSteps` keeps everything that a step reads and
writes in the same place, so that a step can be recorded once as a CUDA graph and played again: for the next token, and
for the next question. Knows nothing about text or memories.
"""

from typing import Any, Protocol

import torch
from torch import Tensor

from dmdoc.model.decoder import Cache


class Steps(Protocol):
    """Runs a prompt and then its continuation; both give the logits of the next token, `[batch, vocabulary]`."""

    def first(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Args: `[batch, time]`; rows are padded on the left, where the mask is 0."""

    def following(self, tokens: Tensor) -> Tensor:
        """Args: int64 `[batch]`, the tokens that were chosen."""


def positions_of(attention_mask: Tensor) -> Tensor:
    """The place of every token among those of its row that are no padding, `[batch, time]`."""
    return (attention_mask.cumsum(-1) - 1).clamp_min(0)


class GrowingSteps:
    """Steps over as many keys as there are."""

    def __init__(self, model: Any, room: int) -> None:
        """Args: room: the most tokens that a row will have."""
        self._model, self._cache = model, Cache(room)
        self._mask = torch.empty(0)

    def first(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        self._mask = attention_mask
        return self._run(input_ids)

    def following(self, tokens: Tensor) -> Tensor:
        new = tokens.unsqueeze(1)
        self._mask = torch.cat((self._mask, torch.ones_like(new)), 1)
        return self._run(new)

    def _run(self, new: Tensor) -> Tensor:
        output = self._model(
            new,
            attention_mask=None if bool(self._mask.all()) else self._mask,
            position_ids=positions_of(self._mask)[:, -new.shape[1] :],
            cache=self._cache,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1]
        return logits


class FixedSteps:
    """Steps in fixed places: of one number of rows, over all the room there is, whatever of it is used."""

    def __init__(self, model: Any, rows: int, room: int, device: torch.device) -> None:
        """Args: room: the most tokens that a row may have."""
        self.room = room
        self._model, self._cache = model, Cache(room)
        self._tokens = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self._positions = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self._slot = torch.zeros(1, dtype=torch.long, device=device)
        self._visible = torch.zeros(rows, 1, 1, room, dtype=torch.bool, device=device)
        self._logits = torch.empty(0)
        self._graph: torch.cuda.CUDAGraph | None = None

    def first(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        time = input_ids.shape[1]
        positions = positions_of(attention_mask)
        self._cache.restart()
        output = self._model(
            input_ids,
            attention_mask=None if bool(attention_mask.all()) else attention_mask,
            position_ids=positions,
            cache=self._cache,
            logits_to_keep=1,
        )
        self._visible.zero_()
        self._visible[:, 0, 0, :time] = attention_mask.bool()
        self._positions.copy_(positions[:, -1:])
        self._slot.fill_(time - 1)
        logits: Tensor = output.logits[:, -1]
        return logits

    def following(self, tokens: Tensor) -> Tensor:
        self._tokens.copy_(tokens.unsqueeze(1))
        if not self._tokens.is_cuda:
            self._step()
        elif self._graph is None:
            self._record()
        else:
            self._graph.replay()
        return self._logits

    def _step(self) -> None:
        self._slot += 1
        self._positions += 1
        self._visible.index_fill_(3, self._slot, True)
        with self._cache.at(self._slot):
            output = self._model(
                self._tokens,
                attention_mask=self._visible,
                position_ids=self._positions,
                cache=self._cache,
                logits_to_keep=1,
            )
        self._logits = output.logits[:, -1]

    def _record(self) -> None:
        """Take the step once to warm up, record it, and then take it, from the same place each time."""
        places = (self._slot, self._positions, self._visible)
        before = [place.clone() for place in places]

        def back() -> None:
            for place, content in zip(places, before, strict=True):
                place.copy_(content)

        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            self._step()
        torch.cuda.current_stream().wait_stream(aside)
        back()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._step()
        self._graph = graph
        back()
        graph.replay()
