"""The web page's files, held in memory: ``page/``, and the script and style that timeline pages use too."""

import hashlib
from importlib import resources

from fastapi import APIRouter, Request, Response

from serkit.annotations.timeline_script import SCRIPT
from serkit.annotations.timeline_style import STYLE
from serkit.server.problems import Problem

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_INDEX = "index.html"


def page_router() -> APIRouter:
    """Return the routes of the page; the OpenAPI document leaves them out."""
    router = APIRouter(include_in_schema=False)
    files = _files()

    async def index(request: Request) -> Response:
        return _answer(request, _INDEX, files[_INDEX])

    async def asset(request: Request, name: str) -> Response:
        if name not in files or name == _INDEX:
            raise Problem(404, "not-found", "no such file.")
        return _answer(request, name, files[name])

    router.add_api_route("/", index, methods=["GET", "HEAD"])
    router.add_api_route("/page/{name}", asset, methods=["GET", "HEAD"])
    return router


def _files() -> dict[str, bytes]:
    folder = resources.files("serkit.server") / "page"
    found = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
    found["timeline.js"] = f"{SCRIPT}export {{ showTimeline }};\n".encode()
    found["timeline.css"] = STYLE.encode()
    return found


def _answer(request: Request, name: str, content: bytes) -> Response:
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "no-cache",
    }  # the browser revalidates each time; unchanged files are not sent again
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=_KINDS[f".{name.rpartition('.')[2]}"])
