"""Connections: how many a worker and one client may have open, and how long they may be silent or unread.

uvicorn's protocols do the work. The subclasses here add what uvicorn leaves to a proxy: limits on connections, a time
limit for the head of a request, and a bound on what a client makes the service keep in memory.
"""

import asyncio
import json
import logging
import sys
from collections import Counter
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import get_remote_addr
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

from serkit.server.clients import client_named, is_among
from serkit.server.loop_share import LoopShare
from serkit.server.problems import MEDIA_TYPE, Problem, busy, too_many_at_once
from serkit.server.service_settings import Settings

_log = logging.getLogger("uvicorn.error")
_OWN_FILES = 512  # open files of a worker besides its connections, and connections that are accepted in one go
_FEWEST_CONNECTIONS = 16
_LINGER_SECONDS = 1.0  # time for a refused client to read why
_MAX_REFUSED = 256  # refused connections that linger at once; further ones are closed at once
_MAX_FRAGMENTS = 1024  # frames of one message
_MAX_UNREAD = 1 << 20  # bytes of pongs and events that a client has not read
_REQUEST_SECONDS = 0.001  # CPU time that a request takes besides its parsing, at least
_RECEIVE_BYTES = 32_768  # read at once, so that a client that sends tiny frames or chunks soon lets others go on


class Door:
    """Counts the connections of one worker, and refuses those that are too many.

    Args:
        settings: Settings of the service.

    Attributes:
        time: Time of the event loop that each client takes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.time = LoopShare(settings.limits.client_share)
        self._clients: dict[asyncio.BaseTransport, str] = {}  # admitted connections
        self._of_clients: Counter[str] = Counter()
        self._refused: set[asyncio.BaseTransport] = set()
        self._most = 0

    @property
    def most(self) -> int:
        """Maximum number of connections: the limit of the settings, or fewer if the system allows fewer open files."""
        if not self._most:
            wanted = self._settings.limits.connections
            self._most = min(wanted, _connections_of_system())
            if self._most < wanted:
                _log.warning(
                    "the limit of open files leaves room for %d connections instead of %d; raise it (ulimit -n, "
                    "LimitNOFILE).", self._most, wanted,
                )  # fmt: skip
        return self._most

    def enter(self, transport: asyncio.BaseTransport) -> Problem | None:
        """Count a new connection; return why it is refused, or None if it is admitted."""
        address = get_remote_addr(transport)  # type: ignore[arg-type]
        host = address[0] if address else ""
        is_proxy = is_among(host, self._settings.trusted_proxies)
        client = "" if is_proxy else client_named(host)
        most = self._settings.limits.of_client(self.most) if client else self.most
        if len(self._clients) >= self.most:
            problem = busy("the service is busy: too many connections at once; try again.")
            _log.warning("a connection was refused: there are %d; see --max-connections.", self.most)
        elif self._of_clients[client] >= most:
            problem = too_many_at_once(most, "connections")
            _log.warning("a connection was refused: its client has %d; see --client-share.", most)
        else:
            self._clients[transport] = client
            self._of_clients[client] += 1
            return None
        self._refused.add(transport)
        return problem

    def leave(self, transport: asyncio.BaseTransport) -> None:
        """Forget a connection that was closed."""
        self._refused.discard(transport)
        client = self._clients.pop(transport, None)
        if client is not None:
            self._of_clients[client] -= 1
            if not self._of_clients[client]:
                del self._of_clients[client]

    def client_of(self, transport: asyncio.BaseTransport) -> str:
        """Return the client of an admitted connection; an empty string for a proxy, which connects for many."""
        return self._clients.get(transport, "")

    @property
    def has_room_to_explain(self) -> bool:
        """Whether a refused connection may stay open until the client has read why."""
        return len(self._refused) <= _MAX_REFUSED


class GuardedConnection(H11Protocol):
    """An HTTP connection that is counted, and closed if it sends no request in time.

    Args:
        door: Count of connections.
        request_seconds: Maximum time for the head of a request.
        **options: Options of uvicorn.
    """

    def __init__(self, *, door: Door, request_seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self._door, self._request_seconds = door, request_seconds
        self._is_refused = self._has_data = False
        self._timer: asyncio.TimerHandle | None = None
        self._pause: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit or refuse a new connection."""
        super().connection_made(transport)
        _receive_little(transport)
        if problem := self._door.enter(transport):
            self._is_refused = True
            self._refuse(problem)
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        if self._pause:
            self._pause.cancel()
        self._door.leave(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a refused connection are dropped."""
        if not self._is_refused:
            self._has_data = True
            super().data_received(data)
            self._watch()

    def handle_events(self) -> None:
        """Handle what arrived, or wait if the client took more than its share of the event loop's time."""
        if self._pause:
            self.transport.pause_reading()
            return
        client = self._door.client_of(self.transport)
        if wait := self._door.time.wait_of(client):
            self.transport.pause_reading()
            self._pause = self.loop.call_later(wait, self._go_on)
            return
        cycle = self.cycle
        with self._door.time.count(client):
            super().handle_events()
        if self.cycle is not cycle or self.transport.get_protocol() is not self:
            self._door.time.add(client, _REQUEST_SECONDS)

    def _go_on(self) -> None:
        self._pause = None
        if not self.flow.read_paused:
            self.transport.resume_reading()
        self.handle_events()
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """Start the time limit while the client owes a request, or the rest of one that is answered already."""
        is_upgraded = self.transport.get_protocol() is not self
        if is_upgraded or self.transport.is_closing() or not self._is_owed_request():
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self._request_seconds, self._close_silent)

    def _is_owed_request(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _close_silent(self) -> None:
        self._timer = None
        if self.cycle is None and self._has_data:  # browsers open connections in advance, and send nothing on them
            detail = f"no complete request arrived within {self._request_seconds:g} s."
            self.transport.write(_response(Problem(408, "request-timeout", detail)))
        self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        if not self._door.has_room_to_explain:
            self.transport.abort()
            return
        self.transport.write(_response(problem))
        with suppress(OSError):  # the client may have gone already
            self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.abort)  # closing at once could destroy the response


class GuardedStream(WebSocketsSansIOProtocol):
    """A WebSocket whose connection is counted, and which keeps little in memory for its client.

    Args:
        door: Count of connections.
        **options: Options of uvicorn.
    """

    def __init__(self, *, door: Door, **options: Any) -> None:
        super().__init__(**options)
        self._door = door
        self._held: list[bytes] = []  # bytes that arrived while the client has to wait
        self._pause: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._pause:
            self._pause.cancel()
        self._door.leave(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, or hold them if the client took more than its share of the event loop's time.

        A connection whose client reads neither pongs nor events is closed.
        """
        client = self._door.client_of(self.transport)
        if self._pause or (wait := self._door.time.wait_of(client)):
            self._held.append(data)
            self.transport.pause_reading()
            self._pause = self._pause or self.loop.call_later(wait, self._go_on)
            return
        with self._door.time.count(client):
            super().data_received(data)
        if self.transport.get_write_buffer_size() > _MAX_UNREAD:
            self.transport.abort()

    def _go_on(self) -> None:
        self._pause = None
        data = b"".join(self._held)
        self._held = []
        if not self.read_paused:
            self.transport.resume_reading()
        self.data_received(data)

    def handle_cont(self, event: Frame) -> None:
        """Take a further frame of a message; a message of very many frames would need far more memory than its size."""
        if len(self.frames) < _MAX_FRAGMENTS:
            super().handle_cont(event)
        elif not self.close_sent:
            self.frames = []
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, f"a message has more than {_MAX_FRAGMENTS} frames")
            self.handle_parser_exception()


def raise_file_limit(connections: int) -> None:
    """Allow this process as many open files as a number of connections needs, where the system lets it."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _connections_of_system() -> int:
    """Return how many connections the limit of open files leaves room for."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(_FEWEST_CONNECTIONS, soft - _OWN_FILES)


def _receive_little(transport: asyncio.Transport) -> None:
    if hasattr(transport, "max_size"):  # asyncio's own transport
        transport.max_size = _RECEIVE_BYTES


def _response(problem: Problem) -> bytes:
    """Return a problem as the bytes of a response, for a connection on which no request was read."""
    body = json.dumps(problem.content(), ensure_ascii=True).encode()
    headers = {**problem.headers, "Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), "Connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {problem.status} {problem.content()['title']}\r\n{head}\r\n".encode() + body
