"""What happens to an error that nobody foresaw: one line, and a report for whoever mends it, without the user's texts.

The report has the steps through the code and the kinds of the errors. Their messages may quote a document or a
question, so that only `--debug` shows them, on the terminal. Knows nothing about any command.
"""

import os
import platform
import traceback
from pathlib import Path

from dmdoc import __version__, console
from dmdoc.settings.folders import cache_folder

REPORT = "error-report.txt"
"""In the cache folder; each report takes the place of the one before."""


def tell(failure: BaseException, command: str) -> None:
    """Say that `failure` came while a command ran, and where the report is."""
    doing = f"`dmdoc {command}`" if command else "`dmdoc`"
    report = _write(failure, doing)
    where = f"; a report without your texts is in {report}" if report is not None else ""
    console.error(
        f"unforeseen: {type(failure).__name__} in {doing}{where}; please report it; "
        f"`dmdoc --debug {command}` shows more"
    )


def show(failure: BaseException) -> None:
    """The whole of an error, for `--debug`."""
    console.note("".join(traceback.format_exception(failure)).rstrip())


def _write(failure: BaseException, doing: str) -> Path | None:
    """The report's place; None where it cannot be written."""
    path = cache_folder(os.environ).absolute() / REPORT
    lines = [
        f"dmdoc {__version__}, Python {platform.python_version()}, {platform.platform()}\n",
        f"{doing} ended with an error that nobody foresaw.\n",
        *_steps(failure),
    ]
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write("".join(lines).encode(errors="replace").decode())
    except OSError:
        return None
    return path


def _steps(failure: BaseException) -> list[str]:
    """The steps that led to an error and to what it came from, without the messages."""
    lines: list[str] = []
    seen: BaseException | None = failure
    while seen is not None:
        stack = traceback.extract_tb(seen.__traceback__)
        lines += [f"\n{type(seen).__module__}.{type(seen).__qualname__}\n", *stack.format()]
        seen = seen.__cause__ or seen.__context__
    return lines


def is_about_stdout(failure: OSError) -> bool:
    """Whether what typer prints, such as help, could not be written; the commands' own output says so itself."""
    return any(step.name == "echo" for step in traceback.extract_tb(failure.__traceback__))


def is_lack_of_memory(failure: Exception) -> bool:
    """Whether memory ran out where nothing less can be asked for, such as while PyTorch is loaded."""
    signs = ("failed to map segment", "cannot allocate memory")
    return isinstance(failure, MemoryError) or (
        isinstance(failure, ImportError) and any(sign in str(failure).lower() for sign in signs)
    )
