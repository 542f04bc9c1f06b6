"""Access checks before any other work (host, origin, rate, token), and security headers on every response."""

import base64
import hmac
import logging
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serkit.server.admission import RateLimiter
from serkit.server.clients import client_of
from serkit.server.problems import Problem
from serkit.server.root_path import path_below_root
from serkit.server.service_settings import Settings, address_of, digest

SUBPROTOCOL = "serkit.v1"
TOKEN_PREFIX = "serkit.token."  # noqa: S105 (not a secret) - browsers cannot set headers of a WebSocket
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; worker-src 'self'; manifest-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_log = logging.getLogger("uvicorn.error")
_GUARDED = ("/v1/", "/metrics")  # paths that need a token; the page and the health probes reveal nothing secret


class SecurityHeaders:
    """Middleware that sets security headers on every response and turns unhandled exceptions into a 500 problem.

    Responses without a Cache-Control header of their own get ``no-store``.

    Args:
        app: Next ASGI application.
        on_problem: Called with the problem code of each unhandled exception.
    """

    def __init__(self, app: ASGIApp, on_problem: Callable[[str], None]) -> None:
        self._app, self._on_problem = app, on_problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add headers to its response."""
        is_begun = scope["type"] not in ("http", "websocket")

        async def sending(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            if is_begun:
                raise
            _log.exception("a request failed")
            problem = Problem(500, "internal-error", "the service failed; its log has the cause.")
            self._on_problem(problem.code)
            await refuse(problem, scope, receive, sending)


class Guard:
    """Middleware that checks host, origin, rate and token, and refuses requests that fail.

    Args:
        app: Next ASGI application.
        settings: Settings of the service.
        on_problem: Called with the problem code of each refused request.
    """

    def __init__(self, app: ASGIApp, settings: Settings, on_problem: Callable[[str], None]) -> None:
        self._app, self._settings, self._on_problem = app, settings, on_problem
        self._rate = RateLimiter(settings.limits.rate, settings.limits.burst)
        self._hosts = {"localhost", *settings.allowed_hosts, *map(_host_of, settings.origins)}
        self._is_warned = False
        self._is_checking_hosts = settings.is_local or not settings.tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with a problem."""
        if scope["type"] in ("http", "websocket"):
            try:
                self._check(scope)
            except Problem as problem:
                self._on_problem(problem.code)
                await refuse(problem, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers.get("host", ""))
        self._check_origin(headers.get("origin"), headers.get("host", ""))
        self._warn_of_proxy(headers)
        if not path_below_root(scope).startswith(_GUARDED):
            return
        # Before the token check, so that tokens cannot be guessed quickly.
        self._rate.check(client_of(scope))
        if self._settings.tokens:
            self._rate.check(self._check_token(_token(headers)).hex())

    def _warn_of_proxy(self, headers: Headers) -> None:
        """Log once that all clients of a proxy that is not trusted count as one client."""
        if self._is_warned or self._settings.trusted_proxies or "x-forwarded-for" not in headers:
            return
        self._is_warned = True
        _log.warning(
            "requests come from a proxy (X-Forwarded-For) whose clients count as one, so they share one client's "
            "limits; see --trusted-proxy."
        )

    def _check_host(self, host: str) -> None:
        """Refuse unknown host names, against DNS rebinding: a foreign page could point its own name at this machine.

        IP addresses cannot be rebound and are accepted. A service that listens to other machines and requires tokens
        is not checked, because tokens keep such pages out and it may have names that it does not know.
        """
        name = _without_port(host)
        if not self._is_checking_hosts or {host.lower(), name} & self._hosts or address_of(name):
            return
        raise Problem(
            421, "unknown-host", "this service does not answer to that host name.", accepted=sorted(self._hosts)
        )

    def _check_origin(self, origin: str | None, host: str) -> None:
        if origin is None or origin.lower() in self._settings.origins:
            return
        if host and _host_of(origin.lower()) == host.lower():
            return
        raise Problem(403, "foreign-origin", "pages from that origin may not use this service.")

    def _check_token(self, token: str | None) -> bytes:
        given = digest(token or "")
        fitting = sum(
            hmac.compare_digest(given, known) for known in self._settings.tokens
        )  # compares with every token, so that timing reveals nothing
        if not fitting:
            raise Problem(
                401, "no-valid-token", "this service requires a valid token.",
                accepted="Authorization: Bearer TOKEN", headers={"WWW-Authenticate": 'Bearer realm="serkit"'},
            )  # fmt: skip
        return given


def _token(headers: Headers) -> str | None:
    """Return the token of a request; a browser's WebSocket sends it as a subprotocol, in base64url."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    for name in headers.get("sec-websocket-protocol", "").split(","):
        if name.strip().startswith(TOKEN_PREFIX):
            code = name.strip().removeprefix(TOKEN_PREFIX)
            try:
                return base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)).decode()
            except ValueError:  # not base64, not UTF-8 or not ASCII
                return None
    return None


def _host_of(origin: str) -> str:
    return origin.partition("://")[2]


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


async def refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse an HTTP request or a WebSocket handshake with a problem."""
    response = problem.response()
    if scope["type"] == "http":
        await response(scope, receive, send)
        return
    headers = response.raw_headers
    await send({"type": "websocket.http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": response.body})
