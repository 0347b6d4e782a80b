"""`ingest --workers`, `--ray` and `--device cuda:all`: the options that share documents out over writers."""

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from dmdoc.cli.options import Machine, environment
from dmdoc.errors import UsageError
from dmdoc.settings.folders import cache_folder

if TYPE_CHECKING:
    from dmdoc.ingest.share import Writers

ALL_CARDS = "cuda:all"


@dataclass(frozen=True)
class Sharing:
    """The options that say which writers share the documents."""

    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Share the documents out over so many processes."),
    ] = None
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="ADDRESS",
            help="Share them out over a Ray cluster: local, auto, HOST:PORT or ray://HOST:PORT.",
        ),
    ] = None

    def writers(self, machine: Machine, *, budget: int | None, refine_steps: int) -> "Writers | None":
        """The writers that the options ask for; None if this process is to write.

        Raises:
            UsageError: `--device cuda:all` on a machine without a card, or beside another of these options.
            DmdocError: as `on_ray`.
        """
        all_cards = machine.device == ALL_CARDS
        if not (self.ray or self.workers or all_cards):
            return None
        from dmdoc.ingest.share import WriterSettings, in_processes

        devices = ["auto" if all_cards else machine.device]
        settings = WriterSettings(
            machine.model,
            machine.adapter,
            cache_folder(environment()),
            devices[0],
            machine.offline,
            budget,
            refine_steps,
        )
        if self.ray:
            from dmdoc.ingest.ray_writers import on_ray

            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anyone
            return on_ray(self.ray, settings, self.workers)
        if all_cards:
            devices = _cards()
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        count = self.workers or len(devices)
        threads = max(1, cores // count)
        return in_processes(
            [
                replace(settings, device=devices[number % len(devices)], threads=threads)
                for number in range(count)
            ]
        )


def _cards() -> list[str]:
    import torch

    count = torch.cuda.device_count()
    if not count:
        raise UsageError(f"no CUDA card was found for --device {ALL_CARDS}; use --device cpu")
    return [f"cuda:{number}" for number in range(count)]
