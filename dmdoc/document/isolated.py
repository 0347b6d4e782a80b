"""Documents read in a process of its own, which has a clock and, where the system knows one, a memory limit.

What a file does to the libraries that read it, it does to that process: its death is the failure of that document, and
the next one gets a new process. One process reads all documents of a run, so that each costs no start of its own.

    {"source": ..., "stdin_bytes": n, ...}, a line, and n bytes
    → {"document": {...}}, {"unchanged": true} or {"error": ..., "message": ...}, a line
"""

import json
import math
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from io import BytesIO
from threading import Timer
from types import TracebackType
from typing import Any, BinaryIO, Self

from dmdoc import errors
from dmdoc.document.document import Document
from dmdoc.document.names import check_name
from dmdoc.document.read import read_document, read_stream
from dmdoc.document.source import DEFAULT_LIMITS, OCR_LANGUAGE, Limits, Ocr
from dmdoc.document.stamp import WebStamp, read_stamp
from dmdoc.document.url import STDIN, full_source
from dmdoc.errors import DmdocError, ExtractionError, UsageError

_CLOSING = 5.0
"""Seconds that the process has to end when nothing more is to be read."""

_OUT_OF_MEMORY = 71
"""The exit code of a process that got no more memory: a reply would need some."""


class IsolatedReader:
    """Reads documents as `read_document` does, in another process; a context, at whose end that process ends."""

    def __init__(
        self,
        limits: Limits = DEFAULT_LIMITS,
        *,
        ocr: Ocr = "off",
        ocr_language: str = OCR_LANGUAGE,
        allow_private: bool = False,
    ) -> None:
        self._limits = limits
        self._settings = {"ocr": ocr, "ocr_language": ocr_language, "allow_private": allow_private}
        self._process: subprocess.Popen[bytes] | None = None
        self._timed_out = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(
        self,
        source: str,
        *,
        name: str | None = None,
        password: str | None = None,
        stdin: BinaryIO | None = None,
        known: Document | None = None,
    ) -> Document:
        """The document; arguments as for `read_document`.

        Raises:
            ExtractionError: as `read_document`, or reading took more time or memory than there is, or was the end of
                the process.
            UsageError: as `read_document`.
        """
        given = read_stream(stdin or sys.stdin.buffer) if source == STDIN else b""
        request = {
            "source": os.fsencode(source).hex(),
            "name": name,
            "password": password,
            "stdin_bytes": len(given),
            "limits": asdict(self._limits),
            "settings": self._settings,
            "known": asdict(known.file) if known is not None and isinstance(known.file, WebStamp) else None,
        }
        label = "standard input" if source == STDIN else source
        try:
            reply = self._asked(json.dumps(request).encode() + b"\n" + given)
        except BaseException:
            self._kill()  # what it would still answer belongs to no question any more
            raise
        if reply is None:
            raise self._failure(label)
        answered = json.loads(reply)
        if known is not None and "unchanged" in answered:
            return known
        return _document(answered, source)

    def close(self) -> None:
        """End the process; another starts if there is more to read."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_CLOSING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def _asked(self, request: bytes) -> bytes | None:
        """The reply to a request; None if the process ended before it had one."""
        process = self._process = self._process or started(self._limits.memory)
        assert process.stdin is not None and process.stdout is not None
        self._timed_out = False
        clock = Timer(self._limits.seconds, self._time_out)
        clock.daemon = True
        clock.start()
        try:
            process.stdin.write(request)
            process.stdin.flush()
            reply = process.stdout.readline()
        except OSError:
            reply = b""
        finally:
            clock.cancel()
        return reply if reply.endswith(b"\n") else None

    def _time_out(self) -> None:
        self._timed_out = True
        if self._process is not None:
            _kill_with_children(self._process)

    def _failure(self, label: str) -> ExtractionError:
        """Why there was no reply."""
        # Without a reply it is ending: what it ends with is told apart from our own signal.
        code = self._kill(patience=0.0 if self._timed_out else _CLOSING)
        if self._timed_out:
            return ExtractionError(
                f"{label} was not read within {self._limits.seconds:g} seconds; split it up, or give it more time"
            )
        if code == _OUT_OF_MEMORY:
            return ExtractionError(
                f"{label} takes more than {self._limits.memory >> 20:,} MB of memory to be read; split it up"
            )
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return ExtractionError(
            f"{label} cannot be read: its reader ended ({how}); it is damaged or too large"
        )

    def _kill(self, *, patience: float = 0.0) -> int:
        """End the process if it has not ended by itself; its exit code, negative where a signal ended it."""
        process = self._process
        if process is None:
            return 0
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
        _kill_with_children(process)
        code = process.wait()
        self.close()
        return code


def _kill_with_children(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process and what it started, such as OCR."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def started(memory: int) -> "subprocess.Popen[bytes]":
    # It finds the modules that this process finds, and hears of no setting of Python's from outside.
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main({memory})"
    return subprocess.Popen(
        [sys.executable, "-I", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the parent to hear
    )


def _document(reply: dict[str, Any], source: str) -> Document:
    """The document of a reply, or its error."""
    if "error" in reply:
        kind = getattr(errors, reply["error"], ExtractionError)
        raise kind(reply["message"]) if issubclass(kind, DmdocError) else ExtractionError(reply["message"])
    record = reply["document"]
    check_name(record["name"])  # it becomes the name of a folder, and the process is not believed
    return Document(
        name=record["name"],
        source=full_source(source),
        pages=tuple(record["pages"]),
        reader=record["reader"],
        remarks=tuple(record["remarks"]),
        confidence=tuple(record["confidence"]),
        file=read_stamp(record["file"]),
    )


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while line := requests.readline():
        request = json.loads(line)
        if hasattr(signal, "alarm"):  # the clock of the parent ends with it
            signal.alarm(math.ceil(request["limits"]["seconds"] + _CLOSING))
        given = requests.read(request["stdin_bytes"])
        replies.write(json.dumps(_reply(request, given)).encode() + b"\n")
        replies.flush()


def _reply(request: dict[str, Any], given: bytes) -> dict[str, Any]:
    source = os.fsdecode(bytes.fromhex(request["source"]))
    # Who asks has the text; the words of the server are enough to tell that it is unchanged.
    known = Document("", source, (), file=WebStamp(**request["known"])) if request["known"] else None
    try:
        document = read_document(
            source,
            name=request["name"],
            password=request["password"],
            stdin=BytesIO(given),
            limits=Limits(**request["limits"]),
            known=known,
            **request["settings"],
        )
    except (ExtractionError, UsageError) as error:
        return {"error": type(error).__name__, "message": str(error)}
    return {"unchanged": True} if document is known else {"document": asdict(document)}


def _limit_memory(memory: int) -> None:
    """Let the process have no more, where the system knows such a limit."""
    try:
        import resource
    except ImportError:
        return  # Windows
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    with suppress(ValueError, OSError):  # macOS takes no such limit
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def main(memory: int) -> None:
    """The process: requests on standard input, replies on standard output, to which no library writes."""
    _limit_memory(memory)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    try:
        serve(sys.stdin.buffer, replies)
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)
