"""Documents that are being read, one after the other, each by a `dmdoc ingest` of its own beside this process.

What a reader of files or a kill does to it, it does to that job alone; a job that was ended goes on where it was when
the same file is given again. Knows nothing about HTTP.
"""

import asyncio
import errno
import json
import secrets
import shutil
import sys
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dmdoc.errors import DmdocError, UsageError

Status = Literal["waiting", "reading", "done", "failed"]

KEPT = 200
"""Jobs that are remembered."""


@dataclass
class Job:
    """A file on its way into the library."""

    arguments: Sequence[str]
    """Of `dmdoc ingest --json`."""
    upload: Path | None = None
    """The folder of a file that was sent, which goes when the job is done."""
    number: str = field(default_factory=lambda: secrets.token_hex(8))
    status: Status = "waiting"
    said: list[str] = field(default_factory=list)
    """Its lines on stderr: progress, warnings, what went wrong."""
    result: dict[str, Any] | None = None
    """What `dmdoc ingest --json` printed."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ended(self) -> bool:
        return self.status in ("done", "failed")

    def record(self) -> dict[str, Any]:
        error = None
        if self.status == "failed":
            error = (self.said or ["it ended without a word"])[-1].removeprefix("error: ")
        return {"job": self.number, "status": self.status, "error": error, "result": self.result}

    def changed(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Each line that it says, and its record at every change of its status, until it has ended."""
        told, status = 0, None
        while True:
            waited = self._changed
            for line in self.said[told:]:
                yield {"said": line}
            told = len(self.said)
            if status != self.status:
                status = self.status
                yield self.record()
            if self.ended and told == len(self.said):
                return
            await waited.wait()


class Jobs:
    """A queue with one worker: `run` it as a task."""

    def __init__(self, *, most_waiting: int = 32) -> None:
        self._most_waiting = most_waiting
        self._queue: asyncio.Queue[Job] = asyncio.Queue()
        self._known: OrderedDict[str, Job] = OrderedDict()
        self.ended: list[Status] = []
        """How each job ended that did."""

    @property
    def full(self) -> bool:
        return self._queue.qsize() >= self._most_waiting

    @property
    def busy(self) -> bool:
        return any(not job.ended for job in self._known.values())

    def get(self, number: str) -> Job | None:
        return self._known.get(number)

    def add(self, job: Job) -> Job:
        self._known[job.number] = job
        while len(self._known) > KEPT and next(iter(self._known.values())).ended:
            self._known.popitem(last=False)
        self._queue.put_nowait(job)
        return job

    async def run(self) -> None:
        """Until it is cancelled; the job at work is then told to end, and goes on when it is given again."""
        while True:
            job = await self._queue.get()
            try:
                await _carry_out(job)
            except (OSError, ValueError) as error:  # no process can be started so, or what it says is no line
                job.said.append(f"error: the file cannot be read: {error}")
                job.status = "failed"
            finally:
                if job.upload is not None:
                    shutil.rmtree(job.upload, ignore_errors=True)
                self.ended.append(job.status)
                job.changed()


async def _carry_out(job: Job) -> None:
    job.status = "reading"
    job.changed()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dmdoc", "ingest", "--json", *job.arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        printed = asyncio.create_task(process.stdout.read())
        async for line in process.stderr:
            job.said.append(line.decode(errors="replace").rstrip())
            job.changed()
        code = await process.wait()
        if code == 0:
            job.result = json.loads(await printed)
        job.status = "done" if code == 0 else "failed"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            job.status = "failed"


def store_upload(name: str, content: bytes) -> Path:
    """A file of this name in a folder of its own, for the name of a file is that of its document.

    Raises:
        UsageError: no file can be called so.
        DmdocError: there is no room for it.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="dmdoc-upload-"))
        path = folder / (Path(name).name.lstrip(".") or "document")
        try:
            path.write_bytes(content)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except (OSError, ValueError) as error:
        ours = isinstance(error, OSError) and error.errno in (
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EROFS,
            errno.EACCES,
        )
        kind = DmdocError if ours else UsageError
        raise kind(f"the file cannot be kept: {getattr(error, 'strerror', None) or error}") from error
    return path
