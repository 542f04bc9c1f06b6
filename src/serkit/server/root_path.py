"""The path below which a proxy serves the service, such as ``/serkit``, whether or not the proxy strips it."""

from starlette.types import ASGIApp, Receive, Scope, Send


class RootPath:
    """Middleware that adds the root path to requests whose proxy stripped it, as ASGI wants it.

    Args:
        app: Next ASGI application.
        root_path: Path without a slash at its end; empty for none.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app, self._root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its full path."""
        if self._root_path and scope["type"] in ("http", "websocket"):
            path = scope["path"]
            if path != self._root_path and not path.startswith(f"{self._root_path}/"):
                path = self._root_path + path
            scope = {**scope, "path": path, "root_path": self._root_path}
        await self._app(scope, receive, send)


def path_below_root(scope: Scope) -> str:
    """Return the path of a request without the root path: the path that decides on the endpoint."""
    path: str = scope["path"]
    root = scope.get("root_path", "")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path
