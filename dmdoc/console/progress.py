"""Progress on stderr: a bar on a terminal, a plain line now and then elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from dmdoc.console import note
from dmdoc.console.visible import printable, stderr
from dmdoc.progress import Progress, Report

PLAIN_STEPS = 10
"""Without a terminal, long work reports this often."""


@contextmanager
def progress(name: str, *, quiet: bool = False) -> Iterator[Report | None]:
    """A bar (what is reached, speed, remaining) on a terminal; a plain line now and then elsewhere.

    Args:
        name: of the work, such as a document's.
        quiet: show nothing.
    """
    if quiet:
        yield None
        return
    console = stderr()
    if not console.is_terminal:
        yield _plain(name)
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

        def show(at: Progress) -> None:
            bar.update(task, total=at.total, completed=at.done, reached=at.reached)
            speed = bar.tasks[task].speed
            bar.update(task, speed=f"{speed:,.1f} {at.unit}/s" if speed else "")

        yield show


def _plain(name: str) -> Report:
    shown = -1

    def show(at: Progress) -> None:
        nonlocal shown
        step = int(at.done / at.total * PLAIN_STEPS) if at.total else PLAIN_STEPS
        if step > shown:
            shown = step
            note(f"{name}: {at.reached}")

    return show
