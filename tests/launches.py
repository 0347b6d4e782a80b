"""How many kernels the memory of one layer launches on a card in a writing pass; counted with a card, or without one.

Without one every operation of PyTorch that computes or copies counts as a launch, and so does a call of one of our
kernels, which then does not run.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from tiny import tiny_reader
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from dmdoc.memory import adapter, adapter_triton, delta_rule, delta_rule_triton
from dmdoc.memory.adapter import DeltaMemConfig
from dmdoc.model.reader import Reader
from dmdoc.text.chunking import Chunk

KERNELS = {delta_rule_triton: ("_maps", "_chain", "_reads"), adapter_triton: ("_inputs",)}
NO_LAUNCH = ("empty", "new_empty", "_unsafe_view", "detach", "lift_fresh")
"""Operations that neither compute nor copy, and are no views either; a name may go on behind these."""

Count = Callable[[Callable[[], object]], list[str]]
"""Runs a function and names each launch."""


def of_a_layer(reader_of: Callable[[int], Reader], count: Count, tokens: int = 70) -> Counter[str]:
    """What one layer more launches with its memory and not without; what a pass launches once is not among it.

    Args:
        reader_of: a reader of a model of so many layers.
    """

    def beyond(layers: int) -> Counter[str]:
        reader = reader_of(layers)
        chunk, state = Chunk((5,) * tokens, (0,) * tokens, ""), reader.zero_state()
        row = torch.tensor([chunk.token_ids], device=reader.backbone.device)
        with torch.no_grad():
            found = Counter(count(lambda: reader.write([chunk], state)))
            found.subtract(count(lambda: reader.backbone.model.get_decoder()(row, use_cache=False)))
        return found

    more = beyond(3)
    more.subtract(beyond(2))
    return Counter({name: times for name, times in more.items() if times})


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, launched: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._launched = launched

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        if not (func.is_view or name.startswith(NO_LAUNCH)):
            self._launched.append(name)
        return func(*args, **(kwargs or {}))


class _Kernel:
    def __init__(self, name: str, launched: list[str]) -> None:
        self._name, self._launched = name, launched

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        return lambda *_, **__: self._launched.append(self._name)


@contextmanager
def _as_on_a_card(launched: list[str]) -> Iterator[None]:
    with ExitStack() as patches:
        for module in (adapter, delta_rule):
            patches.enter_context(mock.patch.object(module, "runs_kernels", lambda _: True))
        for module, names in KERNELS.items():
            for name in names:
                patches.enter_context(mock.patch.object(module, name, _Kernel(name, launched)))
        yield


def without_a_card(run: Callable[[], object]) -> list[str]:
    """A `Count`; what is computed is of no meaning."""
    launched: list[str] = []
    with _as_on_a_card(launched), _Operations(launched):
        run()
    return launched


def of_a_tiny_layer(corrects: bool) -> Counter[str]:
    """Without a card, in bfloat16, with a memory of the published kind: one that reads and corrects, or only writes."""

    def reader_of(layers: int) -> Reader:
        reader = tiny_reader(DeltaMemConfig(corrects_while_writing=corrects), layers=layers)
        reader.backbone.model.bfloat16()
        reader.adapter.bfloat16()
        return reader

    return of_a_layer(reader_of, without_a_card)


def on_a_card(run: Callable[[], object]) -> list[str]:
    """A `Count`, by PyTorch's profiler."""
    return [name for name in profiled(run) if "LaunchKernel" in name]


def profiled(run: Callable[[], object]) -> list[str]:
    """The names of all that happens in a second run: operations, and on a card what the driver is told."""
    run()
    card = torch.cuda.is_available()
    with profile(activities=[ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * card) as recorded:
        run()
        if card:
            torch.cuda.synchronize()
    return [event.name for event in recorded.events() or ()]
