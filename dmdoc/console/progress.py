"""Progress on stderr: a bar on a terminal, a plain line now and then elsewhere."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dmdoc.console import note
from dmdoc.console.visible import printable, stderr

if TYPE_CHECKING:
    from dmdoc.ingest.single import Progress

PLAIN_STEPS = 10
"""Without a terminal, long work reports this often."""


@contextmanager
def ingest_progress(name: str, *, quiet: bool = False) -> Iterator["Callable[[Progress], None] | None"]:
    """A bar (section, tokens, tokens/s, remaining) on a terminal; a plain line now and then elsewhere."""
    if quiet:
        yield None
        return
    console = stderr()
    if not console.is_terminal:
        yield _plain_progress(name)
        return
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.TextColumn("{task.fields[reached]}", markup=False),
        bars.TextColumn("{task.fields[speed]}", markup=False),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(printable(name), total=None, reached="", speed="")

        def show(done: "Progress") -> None:
            bar.update(task, total=done.tokens_total, completed=done.tokens_done, reached=_reached(done))
            speed = bar.tasks[task].speed
            bar.update(task, speed=f"{speed:,.0f} tokens/s" if speed else "")

        yield show


def _plain_progress(name: str) -> "Callable[[Progress], None]":
    shown = -1

    def show(done: "Progress") -> None:
        nonlocal shown
        step = int(done.share * PLAIN_STEPS)
        if step > shown:
            shown = step
            note(f"{name}: {_reached(done)}")

    return show


def _reached(done: "Progress") -> str:
    sections = f"section {done.sections_written}/{done.sections_total}"
    reached = f"{sections}, {done.tokens_written:,}/{done.tokens_total:,} tokens"
    if done.nats is not None:
        reached += f", refined {done.refine_step}/{done.refine_steps}: {done.nats:.2f} nats a token"
    return reached


@contextmanager
def training_progress() -> Iterator[Callable[[int, int, dict[str, Any]], None]]:
    """A bar with the losses on a terminal; elsewhere a line for every measurement."""
    console = stderr()
    if not console.is_terminal:

        def line(done: int, total: int, metrics: dict[str, Any]) -> None:
            if "eval" in metrics or done == total:
                note(f"step {done}/{total}: {json.dumps(metrics)}")

        yield line
        return
    from rich import progress as bars

    columns = (
        bars.TextColumn("step", markup=False),
        bars.MofNCompleteColumn(),
        bars.BarColumn(),
        bars.TextColumn("{task.fields[losses]}", markup=False),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console) as bar:
        task = bar.add_task("train", total=None, losses="")

        def show(done: int, total: int, metrics: dict[str, Any]) -> None:
            losses = f"answer {metrics['answer']:.2f}, recitation {metrics['recitation']:.2f} nats a token"
            bar.update(task, completed=done, total=total, losses=losses)

        yield show


@contextmanager
def comparison_progress(*, quiet: bool = False) -> Iterator[Callable[[int, int], None] | None]:
    """A bar over the answers on a terminal; a plain line now and then elsewhere."""
    console = stderr()
    if quiet:
        yield None
        return
    if not console.is_terminal:
        shown = 0

        def line(done: int, total: int) -> None:
            nonlocal shown
            step = done * PLAIN_STEPS // total
            if step > shown:
                shown = step
                note(f"{done:,} of {total:,} answers")

        yield line
        return
    from rich import progress as bars

    with bars.Progress(*bars.Progress.get_default_columns(), console=console, transient=True) as bar:
        task = bar.add_task("answers", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
