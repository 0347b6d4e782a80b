"""Everything that is printed: answers on stdout; progress, notes, tables and errors on stderr.

Colour and animation are for terminals only, and NO_COLOR is honoured (by rich). Knows nothing about models.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from dmdoc.compare import Result, Summary
    from dmdoc.ingest import IngestResult, Progress
    from dmdoc.models import ModelStatus
    from dmdoc.saved_document import SavedDocument

PLAIN_PROGRESS_STEPS = 10
"""Without a terminal, an ingest reports this often."""


def write_answer(text: str) -> None:
    """A piece of an answer, as it comes."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write_json(value: dict[str, Any]) -> None:
    """One object on one line of stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def error(message: str) -> None:
    """What went wrong, in one line."""
    _stderr().print(f"[bold red]error:[/] {_escaped(message)}", soft_wrap=True, highlight=False)


def warn(message: str) -> None:
    _stderr().print(f"[yellow]warning:[/] {_escaped(message)}", soft_wrap=True, highlight=False)


def note(message: str) -> None:
    """Something worth knowing that is neither the answer nor a problem."""
    _stderr().print(_escaped(message), style="dim", soft_wrap=True, highlight=False)


@contextmanager
def ingest_progress(name: str, *, quiet: bool = False) -> Iterator["Callable[[Progress], None] | None"]:
    """A bar (chunk, tokens, tokens/s, remaining) on a terminal; a plain line now and then elsewhere."""
    if quiet:
        yield None
        return
    console = _stderr()
    if not console.is_terminal:
        yield _plain_progress(name)
        return
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TextColumn("{task.fields[reached]}"),
        bars.TextColumn("{task.fields[speed]}"),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None, reached="", speed="")

        def show(done: "Progress") -> None:
            completed = done.share * done.tokens_total
            bar.update(task, total=done.tokens_total, completed=completed, reached=_reached(done))
            speed = bar.tasks[task].speed
            bar.update(task, speed=f"{speed:,.0f} tokens/s" if speed else "")

        yield show


def _plain_progress(name: str) -> "Callable[[Progress], None]":
    shown = -1

    def show(done: "Progress") -> None:
        nonlocal shown
        step = int(done.share * PLAIN_PROGRESS_STEPS)
        if step > shown:
            shown = step
            note(f"{name}: {_reached(done)}")

    return show


def _reached(done: "Progress") -> str:
    reached = f"chunk {done.chunks_written}/{done.chunks_total}, {done.tokens_written:,}/{done.tokens_total:,} tokens"
    if done.nats is not None:
        reached += f", refined {done.refine_step}/{done.refine_steps}: {done.nats:.2f} nats a token"
    return reached


@contextmanager
def training_progress() -> Iterator[Callable[[int, int, dict[str, Any]], None]]:
    """A bar with the losses on a terminal; elsewhere a line for every measurement."""
    console = _stderr()
    if not console.is_terminal:

        def line(done: int, total: int, metrics: dict[str, Any]) -> None:
            if "eval" in metrics or done == total:
                note(f"step {done}/{total}: {json.dumps(metrics)}")

        yield line
        return
    from rich import progress as bars

    columns = (
        bars.TextColumn("step"),
        bars.MofNCompleteColumn(),
        bars.BarColumn(),
        bars.TextColumn("{task.fields[losses]}"),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console) as bar:
        task = bar.add_task("train", total=None, losses="")

        def show(done: int, total: int, metrics: dict[str, Any]) -> None:
            losses = f"answer {metrics['answer']:.2f}, recitation {metrics['recitation']:.2f} nats a token"
            bar.update(task, completed=done, total=total, losses=losses)

        yield show


def ingest_summary(result: "IngestResult") -> None:
    """What an ingest did, in one line, after its warnings."""
    for warning in result.warnings:
        warn(warning)
    name, pages = result.document.name, result.document.page_count
    if result.status == "unchanged":
        note(f"{name}: unchanged, already read ({result.tokens:,} tokens); --force reads it again")
        return
    size = result.document.state_path.stat().st_size / 1024
    steps = result.document.header().refine_steps
    refined = f", refined in {steps} step{'s' if steps != 1 else ''} a chunk" if steps else ""
    note(
        f"{name}: {result.status}, {pages} page{'s' if pages != 1 else ''}, {result.tokens:,} tokens "
        f"in {result.chunks} chunk{'s' if result.chunks != 1 else ''}{refined}, "
        f"{result.seconds:.1f} s, state {size:.0f} KB"
    )


@contextmanager
def comparison_progress(*, quiet: bool = False) -> Iterator[Callable[[int, int], None] | None]:
    """A bar over the questions, on a terminal only."""
    console = _stderr()
    if quiet or not console.is_terminal:
        yield None
        return
    from rich import progress as bars

    with bars.Progress(*bars.Progress.get_default_columns(), console=console, transient=True) as bar:
        task = bar.add_task("questions", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def comparison_table(summaries: "list[Summary]") -> None:
    """Recall by mode, on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("mode", "questions", "exact", "95 %", "contains", "F1", "prompt tokens", "seconds"):
        table.add_column(heading, justify="left" if heading == "mode" else "right")
    for row in summaries:
        low, high = row.exact_interval
        table.add_row(
            row.mode,
            str(row.questions),
            f"{row.exact:.0%}",
            f"{low:.0%} to {high:.0%}",
            f"{row.contains:.0%}",
            f"{row.f1:.2f}",
            f"{row.prompt_tokens:,.0f}",
            f"{row.seconds:.2f}",
        )
    Console().print(table)


def answers_table(results: "list[Result]") -> None:
    """Every question with the right and the given answer, on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("", "question", "right", "given"):
        table.add_column(heading, overflow="fold")
    for result in results:
        mark = "✓" if result.exact else "~" if result.contains else "✗"
        table.add_row(mark, result.question, " / ".join(result.answers), result.given)
    Console().print(table)


def documents_table(documents: "Sequence[SavedDocument]") -> None:
    """The saved documents, on stdout."""
    from rich.console import Console
    from rich.table import Table

    if not documents:
        note("nothing is saved yet; read a document with `dmdoc ingest FILE`")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "pages", "tokens", "model", "created", "source"):
        table.add_column(
            heading, overflow="fold", justify="right" if heading in ("pages", "tokens") else "left"
        )
    for saved in documents:
        header = saved.header()
        tokens = f"{header.tokens_written:,}"
        row = (saved.name, str(saved.page_count), tokens, header.backbone.name, saved.created, saved.source)
        table.add_row(*row)
    Console().print(table)


def models_table(statuses: "list[ModelStatus]") -> None:
    """The known backbones and adapters, on stdout: it is what was asked for."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "kind", "source", "licence", "on disk"):
        table.add_column(heading, overflow="fold")
    for status in statuses:
        known = status.model
        size = "no" if status.on_disk is None else f"{status.on_disk / 1e6:,.0f} MB"
        table.add_row(known.name, known.kind, known.source, known.licence, size)
    Console().print(table)


def _stderr() -> "Console":
    from rich.console import Console

    return Console(stderr=True)


def _escaped(message: str) -> str:
    from rich.markup import escape

    return escape(message)
