"""What our own API does, for programs (OpenAPI 3.1) and, as a page, for people. Holds nothing of any document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dmdoc import __version__
from dmdoc.model.prompt import RecallMode
from dmdoc.serve.page import HEADERS

_TEXT, _WHOLE, _NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
_MODE = {"enum": list(get_args(RecallMode))}
_DRAWING = {"max_tokens": _WHOLE, "temperature": _NUMBER, "top_p": _NUMBER, "seed": _WHOLE}
_ASKED = {"question": _TEXT, "document": _TEXT, "tag": _TEXT, "citations": {"type": "boolean"}, **_DRAWING}


@dataclass(frozen=True)
class Operation:
    """One request, and what answers it."""

    method: str
    path: str
    summary: str
    status: int
    answer: str
    query: Mapping[str, str] = field(default_factory=dict)
    """Its parameters, and what they are."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """The fields of the JSON in it, with their schemas."""
    required: Sequence[str] = ()
    takes_file: bool = False
    kind: str = "application/json"
    """Of the answer."""


OPERATIONS = (
    Operation(
        "post",
        "/api/ask",
        "Ask a document; without document or tag the one that the question is about is found",
        200,
        "What dmdoc ask --json prints",
        body={**_ASKED, "recall": _MODE, "evidence": {"type": "integer", "minimum": 1, "maximum": 12}},
        required=("question",),
    ),
    Operation(
        "post",
        "/api/compare",
        "Answer one question in several ways, such as with and without the document",
        200,
        "question, and answers: for each mode what dmdoc ask --json prints",
        body={**_ASKED, "modes": {"type": "array", "items": _MODE, "minItems": 1}},
        required=("question",),
    ),
    Operation("get", "/api/documents", "List the documents", 200, "documents, as dmdoc ls --json has them"),
    Operation(
        "post",
        "/api/documents",
        "Read a file: the one in the body, or as JSON the path of one below an allowed folder",
        202,
        "The job that reads it; Location says where it is",
        query={"file": "The file's name", "name": "The document's name", "tag": "A tag; may be repeated"},
        body={"path": _TEXT},
        required=("path",),
        takes_file=True,
    ),
    Operation(
        "get", "/api/documents/{name}", "Show a document", 200, "The document, and the text of its pages"
    ),
    Operation("delete", "/api/documents/{name}", "Remove a document", 204, "Nothing"),
    Operation("get", "/api/jobs/{number}", "How the reading of a file goes", 200, "status, error and result"),
    Operation(
        "get",
        "/api/jobs/{number}/events",
        "The same as server-sent events, with every line of progress",
        200,
        "Events",
        kind="text/event-stream",
    ),
)


def description() -> dict[str, Any]:
    """The OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for each in OPERATIONS:
        paths.setdefault(each.path, {})[each.method] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "dmdoc", "version": __version__},
        "paths": paths,
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"key": []}],
    }


def _operation(each: Operation) -> dict[str, Any]:
    inside = [part[1:-1] for part in each.path.split("/") if part.startswith("{")]
    named: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT} for name in inside
    ]
    named += [
        {"name": name, "in": "query", "schema": _TEXT, "description": says}
        for name, says in each.query.items()
    ]
    content: dict[str, Any] = {} if each.status == 204 else {"content": {each.kind: {}}}
    found: dict[str, Any] = {
        "summary": each.summary,
        "parameters": named,
        "responses": {
            str(each.status): {"description": each.answer, **content},
            "default": {"description": "error, with message, type and code"},
        },
    }
    if each.body:
        schema = {"type": "object", "properties": dict(each.body), "required": list(each.required)}
        kinds: dict[str, Any] = {"application/json": {"schema": schema}}
        if each.takes_file:
            kinds["application/octet-stream"] = {}
        found["requestBody"] = {"required": True, "content": kinds}
    return found


def page() -> str:
    """The same to be read: a heading for each request."""
    parts = [_section(each) for each in OPERATIONS]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>dmdoc: API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<style>:root { color-scheme: light dark } body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto;"
        " max-width: 46rem; padding: 1rem } h2 { font-size: 1rem; margin-top: 1.5rem; overflow-wrap: anywhere }</style>"
        '<h1>dmdoc: API</h1><p>For programs: <a href="openapi.json">openapi.json</a>. '
        "<code>/v1</code> answers as OpenAI's chat completions do.</p>" + "".join(parts)
    )


def _section(each: Operation) -> str:
    said = [f"<h2><code>{each.method.upper()} {escape(each.path)}</code></h2><p>{escape(each.summary)}.</p>"]
    for title, names in (("In the address", each.query), ("In the body, as JSON", each.body)):
        if names:
            listed = ", ".join(f"<code>{escape(name)}</code>" for name in names)
            said.append(f"<p>{title}: {listed}.</p>")
    said.append(f"<p>Answers {each.status}: {escape(each.answer)}.</p>")
    return "".join(said)


def openapi_routes() -> list[Route]:
    async def for_programs(_: Request) -> Response:
        return JSONResponse(description(), headers=HEADERS)

    async def for_people(_: Request) -> Response:
        return Response(page(), media_type="text/html", headers=HEADERS)

    return [
        Route("/openapi.json", for_programs, methods=["GET"]),
        Route("/docs", for_people, methods=["GET"]),
    ]
