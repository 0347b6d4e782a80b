"""The tools of `dmdoc mcp`, by the client of the protocol's own package."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_sessions import environment, place  # noqa: F401 (a fixture)

from dmdoc.cli.library import record
from dmdoc.cli.serve import answer_record_of
from dmdoc.library.library import Library
from dmdoc.model.reader import Reader
from dmdoc.serve.engine import Engine

if TYPE_CHECKING:
    from mcp.server import MCPServer

pytestmark = pytest.mark.slow

QUESTION = "What does lot seven hold?"


@pytest.fixture
def tools(served: Library, served_reader: Reader) -> "Iterator[MCPServer]":
    from dmdoc.serve.tools import tool_server

    engine = Engine(served, lambda _: served_reader)
    engine.start()
    yield tool_server(engine, answer_record_of, record)
    engine.close()


def call(server: Any, name: str, **arguments: Any) -> Any:
    """What a tool gives, or the message of its error."""
    from mcp import Client

    async def run() -> Any:
        async with Client(server) as client:
            found = await client.call_tool(name, arguments)
            said = getattr(found.content[0], "text", "") if found.content else ""
            return said if found.is_error else (found.structured_content or {})

    return asyncio.run(run())


def test_documents_are_listed_asked_and_shown(tools: "MCPServer", served: Library) -> None:
    assert [each["name"] for each in call(tools, "list_documents")["result"]] == ["barges", "lots"]
    answer = call(tools, "ask", question=QUESTION)
    assert answer["document"] == "lots" and answer["answer"] in served.get("lots").pages()[0]
    assert answer["verdict"] == "sure" and answer["places"][0]["page"] == 1
    assert call(tools, "show_pages", document="lots")["result"] == list(served.get("lots").pages())


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("ask", {"question": " "}, "there is no question"),
        ("ask", {"question": QUESTION, "document": "nobody"}, "nobody"),
        ("ask", {"question": QUESTION, "document": "lots", "tag": "a"}, "not both"),
        ("show_pages", {"document": "lots", "first": 9}, "1 pages"),
        ("show_pages", {"document": "../lots"}, "lots"),
    ],
)
def test_what_cannot_be_done_is_said(
    tools: "MCPServer", name: str, arguments: dict[str, Any], says: str
) -> None:
    said = call(tools, name, **arguments)
    assert isinstance(said, str) and says in said


def test_over_pipes_files_of_allowed_folders_are_read(place: Path, tmp_path: Path) -> None:  # noqa: F811
    from mcp import Client, StdioServerParameters

    (tmp_path / "ships.txt").write_text("The ship Vega sank in 1901. " * 9)
    arguments = ["-m", "dmdoc", "mcp", "--root", str(tmp_path)]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=environment(place))

    async def run() -> None:
        async with Client(server) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert names == {"list_documents", "ask", "show_pages", "ingest"}
            outside = await client.call_tool("ingest", {"path": str(place / "lots.txt")})
            assert outside.is_error
            for path in (
                "https://example.org/a.html",
                "-",
            ):  # neither a URL nor standard input, whatever the folder
                named = await client.call_tool("ingest", {"path": path})
                assert named.is_error and "no file may be read there" in getattr(named.content[0], "text", "")
            read = await client.call_tool("ingest", {"path": str(tmp_path / "ships.txt")})
            assert (read.structured_content or {})["document"] == "ships"
            answer = await client.call_tool("ask", {"question": "When did the ship Vega sink?"})
            assert (answer.structured_content or {})["document"] == "ships"

    asyncio.run(run())


def test_without_allowed_folders_no_file_is_read(tools: "MCPServer") -> None:
    from mcp import Client

    async def run() -> set[str]:
        async with Client(tools) as client:
            return {tool.name for tool in (await client.list_tools()).tools}

    assert asyncio.run(run()) == {"list_documents", "ask", "show_pages"}
