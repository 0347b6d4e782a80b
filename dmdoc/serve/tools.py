"""What a program that speaks the Model Context Protocol may do: list documents, ask, see pages, and have files read."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from dmdoc import __version__
from dmdoc.errors import DmdocError, UsageError
from dmdoc.library.saved_document import SavedDocument
from dmdoc.serve.engine import Answered, Engine, Question
from dmdoc.serve.guard import allowed_file
from dmdoc.serve.jobs import Job, Jobs

INSTRUCTIONS = (
    "Answers come from documents that were read once. Each says how far to trust it (verdict) and where the text "
    "speaks of it (places, citations): look at the pages before you rely on an answer that is not sure."
)

P = ParamSpec("P")
T = TypeVar("T")


def tool_server(
    engine: Engine,
    answer_record: Callable[[Answered], dict[str, Any]],
    document_record: Callable[[SavedDocument], dict[str, Any]],
    roots: Sequence[Path] = (),
) -> MCPServer:
    """
    Args:
        engine: started.
        answer_record: what JSON says of an answer.
        document_record: what JSON says of a saved document.
        roots: folders whose files may be read; without any there is no tool that reads files.
    """
    server = MCPServer("dmdoc", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING")

    @server.tool()
    @_told
    async def list_documents() -> list[dict[str, Any]]:
        """List the documents that can be asked."""
        found = await asyncio.to_thread(engine.library.documents)
        return [document_record(saved) for saved in found]

    @server.tool()
    @_told
    async def ask(question: str, document: str | None = None, tag: str | None = None) -> dict[str, Any]:
        """Ask a document; without its name or a tag the one that the question is about is found."""
        if not question.strip():
            raise UsageError("there is no question")
        if document is not None and tag is not None:
            raise UsageError("give document or tag, not both")
        asked = engine.ask(Question(question.strip(), document, tag))
        return answer_record(await asyncio.wrap_future(asked.answer))

    @server.tool()
    @_told
    async def show_pages(document: str, first: int = 1, last: int | None = None) -> list[str]:
        """The text of a document's pages, from the first to the last that are wanted, counted from 1."""
        saved = await asyncio.to_thread(engine.library.get, document)
        pages = await asyncio.to_thread(saved.pages)
        if not 1 <= first <= len(pages):
            raise UsageError(f"{document} has {len(pages)} pages, and {first} is none of them")
        return list(pages[first - 1 : first if last is None else last])

    if roots:

        @server.tool()
        @_told
        async def ingest(path: str) -> dict[str, Any]:
            """Read a file, so that it can be asked."""
            return await _read(path, roots)

    return server


async def _read(path: str, roots: Sequence[Path]) -> dict[str, Any]:
    file, jobs = allowed_file(path, roots), Jobs()
    job, working = jobs.add(Job(["--", str(file)])), asyncio.create_task(jobs.run())
    try:
        async for _ in job.events():
            pass
    finally:
        working.cancel()
    if job.result is None:
        raise DmdocError(job.record()["error"])
    return job.result


def _told(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """What went wrong is told in the words that a user would get."""

    @wraps(function)
    async def run(*given: P.args, **options: P.kwargs) -> T:
        try:
            return await function(*given, **options)
        except DmdocError as error:
            raise ToolError(str(error)) from error

    return run
