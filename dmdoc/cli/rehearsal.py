"""What a process does before it becomes the commands of others: its work once, in a home that is thrown away, so
that what the first command would import or build is there already.
"""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from dmdoc.cli.options import Machine, environment
from dmdoc.settings.folders import cache_folder

NOTE = "The barge Sorrel was built at Ilmen in 1931. Her captain is Anna Berg.\n"
QUESTION = "Who is the captain of the barge?"


def rehearse(machine: Machine, run: Callable[[], None]) -> list[int]:
    """Read a note and ask about it; nothing of that is printed or kept.

    Args:
        machine: with what the commands are expected to come.
        run: the command line, as of sys.argv.

    Returns:
        The exit codes.
    """
    import dmdoc.chat.repl  # noqa: F401 (its answers are made as those of ask)
    from dmdoc.model.registry import canonical

    options = [f"--device={machine.device}", *(["--offline"] if machine.offline else [])]
    if machine.model is not None:
        options.append(f"--model={canonical(machine.model, 'backbone')}")
    if machine.adapter is not None:
        options.append(f"--adapter={canonical(machine.adapter, 'adapter')}")
    with _elsewhere():
        Path("note.txt").write_text(NOTE, encoding="utf-8")
        return [_run([*command, *options], run) for command in (["ingest", "note.txt"], ["ask", QUESTION])]


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Inside, folder, home, settings and output are others."""
    kept, folder = dict(os.environ), os.getcwd()
    cache = str(cache_folder(environment()))
    with TemporaryDirectory() as place, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        for name in [name for name in kept if name.startswith("DMDOC_")]:
            del os.environ[name]
        os.environ |= {"DMDOC_HOME": place, "DMDOC_CONFIG": place, "DMDOC_CACHE": cache}
        os.chdir(place)
        try:
            yield
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(kept)


def _run(arguments: list[str], run: Callable[[], None]) -> int:
    sys.argv = ["dmdoc", *arguments]
    try:
        run()
    except SystemExit as leaving:
        return int(leaving.code or 0)
    return 0
