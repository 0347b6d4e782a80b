"""Writers on the machines of a Ray cluster, or on this one: actors that start again when their process dies.

Every machine needs dmdoc and its models, under the same names. Knows nothing about files or libraries.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from dmdoc.errors import DmdocError
from dmdoc.ingest.share import Order, Writer, Writers, WriterSettings, Written, in_turn

LOCAL = "local"
"""The address that stands for a cluster of this machine alone."""

RETRIES = 3
"""How often a document is tried again after its writer died."""


def on_ray(address: str, settings: WriterSettings, workers: int | None = None) -> Writers:
    """Connect to a cluster, and start writers there.

    Args:
        address: `local`, `auto`, `HOST:PORT` or `ray://HOST:PORT`.
        workers: how many; by default one for each card, or for every two processor cores where there is none.

    Raises:
        DmdocError: Ray is not installed, or the cluster cannot be reached.
    """
    try:
        import ray
    except ImportError as error:
        raise DmdocError("sharing over Ray needs its package: pip install 'dmdoc[ray]'") from error
    try:
        ray.init(address=None if address == LOCAL else address, include_dashboard=False, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise DmdocError(f"cannot reach the Ray cluster at {address}: {error}") from error
    resources = ray.cluster_resources()
    cards, cores = int(resources.get("GPU", 0)), max(1, int(resources.get("CPU", 1)))
    count = workers or cards or max(1, cores // 2)
    share = max(1, cores // count)
    if not cards:
        settings = replace(settings, threads=share)
    remote = ray.remote(
        num_gpus=1 if cards else 0,
        num_cpus=1 if cards else share,
        max_restarts=-1,
        max_task_retries=RETRIES,
    )(Writer)
    actors = [remote.remote(settings) for _ in range(count)]

    def run(orders: Iterable[Order]) -> Iterator[Written]:
        idle, busy = list(actors), {}

        def submit(order: Order) -> Any:
            actor = idle.pop()
            future = actor.write.remote(order)
            busy[future] = actor
            return future

        def next_done(running: dict[Any, Order]) -> tuple[Any, Written]:
            (done,), _ = ray.wait(list(running), num_returns=1)
            idle.append(busy.pop(done))
            try:
                return done, ray.get(done)
            except ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[0]
                return done, Written(running[done].source, error=f"its writer died: {reason}")

        yield from in_turn(orders, count, submit, next_done)

    return run
