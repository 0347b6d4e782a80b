"""The processes that share a run, as `accelerate launch` or `torchrun` starts them; usually there is one.

Each draws batches of its own and all average their gradients, so that so many processes take the step that one
would take with so many times the batches. Only the main one writes. Knows nothing about what is learned.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from accelerate import PartialState
from accelerate.utils import broadcast, reduce
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """This process among those of the run."""

    rank: int
    """Counted from 0, which is the main one."""
    count: int
    device: torch.device
    """Where this process computes: where several share a machine, a card of its own."""

    @classmethod
    def join(cls, device: torch.device) -> "Processes":
        """Meet the other processes; `device` is a card for all of them, or the processor."""
        state = PartialState(cpu=device.type == "cpu")
        # A processor is one however many share it; accelerate counts it by process.
        own_card = state.num_processes > 1 and device.type != "cpu"
        return cls(state.process_index, state.num_processes, state.device if own_card else device)

    @property
    def main(self) -> bool:
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over all processes in the place of each tensor, in one exchange; all hold like tensors."""
        if self.count == 1:
            return
        means: Tensor = reduce(torch.cat([tensor.flatten() for tensor in tensors]), reduction="mean")
        parts = torch.split(means, [tensor.numel() for tensor in tensors])
        for tensor, mean in zip(tensors, parts, strict=True):
            tensor.copy_(mean.view_as(tensor))

    def copy_from_main(self, tensors: Sequence[Tensor]) -> None:
        """Give every process the numbers of the main one: machines may round differently."""
        if self.count > 1:
            broadcast(list(tensors))
