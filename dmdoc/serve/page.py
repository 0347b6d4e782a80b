"""The page at `/`: two files that ask the server by its own API. They hold nothing of any document."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATHS = {"/": ("page.html", "text/html"), "/page.js": ("page.js", "text/javascript")}

HEADERS = {
    # The page needs nothing from elsewhere, and no other page may show it in a frame.
    "Content-Security-Policy": "default-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
}


def page_routes() -> list[Route]:
    return [Route(path, _send, methods=["GET"]) for path in PATHS]


async def _send(request: Request) -> Response:
    name, kind = PATHS[request.url.path]
    return Response(Path(__file__).with_name(name).read_bytes(), media_type=kind, headers=HEADERS)
