"""The supervisor process: it starts workers that share one socket, and replaces workers that die."""

import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from serkit.errors import SettingsError
from serkit.server.prometheus import FOLDER_VARIABLE
from serkit.server.sandbox import die_with_parent
from serkit.server.service_log import LOG
from serkit.server.service_settings import Settings
from serkit.server.wire_protocol import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from fastapi import FastAPI
    from uvicorn import Config

_GRACE_SECONDS = 320  # time for running requests to finish at shutdown; a timeline may take 300 s
_BACKLOG = 256  # connections that wait to be accepted, and that are accepted in one go
_UNREAD_BYTES = 262_144  # send buffer for a client that does not read; the default on Linux is megabytes
_UNREAD_SECONDS = 60  # after which the system closes a connection whose client acknowledges or reads nothing
_HEALTH_SECONDS = 30  # a worker that does not respond for so long counts as hung


def serve(settings: Settings, *, on_start: Callable[[str], None] = lambda address: None) -> None:
    """Run the service until a signal ends it; running requests are finished first.

    Args:
        settings: Settings of the service.
        on_start: Called with the service's URL, once its socket is open.

    Raises:
        SettingsError: If the socket cannot be opened, or a worker cannot start.
        ModelFileError: If the model cannot be read.
    """
    with _listening(settings) as sock, _metrics_folder():
        from serkit.runtime.recognizer import Recognizer

        Recognizer.load(settings.model, threads=1)  # a broken model fails here once, not in each worker
        config = _config(settings)
        on_start(_url(settings.host, sock))
        if not _supervise(config, sock):
            raise SettingsError("a worker process could not start; see its error message above.")


def _config(settings: Settings) -> "Config":
    """Return uvicorn's settings; each worker gets a copy."""
    from uvicorn import Config

    from serkit.server.connections import Door, GuardedConnection, GuardedStream

    door = Door(settings)
    http = partial(GuardedConnection, door=door, request_seconds=settings.limits.request_seconds)
    return Config(
        partial(_create_worker, settings), factory=True, workers=settings.workers, lifespan="on", backlog=_BACKLOG,
        http=cast(Any, http), ws=cast(Any, partial(GuardedStream, door=door)),  # classes by type, functions by use
        ws_max_size=MAX_MESSAGE_BYTES, ws_per_message_deflate=False,
        ws_ping_interval=None,  # a pong would queue behind sound; a silent stream is closed as idle anyway
        proxy_headers=bool(settings.trusted_proxies), forwarded_allow_ips=list(settings.trusted_proxies),
        server_header=False, access_log=settings.is_logging_requests, log_level="info", log_config=LOG,
        timeout_graceful_shutdown=_GRACE_SECONDS, timeout_worker_healthcheck=_HEALTH_SECONDS,
    )  # fmt: skip


def _supervise(config: "Config", sock: socket.socket) -> bool:
    """Run workers until a signal ends the service; return False if it ended for another reason."""
    from uvicorn.supervisors import Multiprocess

    class Supervisor(Multiprocess):
        has_signal = False

        def handle_signals(self) -> None:
            self.has_signal |= not {signal.SIGINT, signal.SIGTERM}.isdisjoint(self.signal_queue)
            super().handle_signals()

        def keep_subprocess_alive(self) -> None:
            for worker in self.processes:  # so that a worker that dies during its health check is noticed at once
                worker.child_conn.close()
            super().keep_subprocess_alive()

    supervisor = Supervisor(config, sockets=[sock])
    supervisor.run()
    return supervisor.has_signal or bool(supervisor.signal_queue)


def _create_worker(settings: Settings) -> "FastAPI":
    """Return the application of a worker; uvicorn calls this in the worker process."""
    die_with_parent()
    from serkit.server.app import create_app
    from serkit.server.connections import raise_file_limit

    raise_file_limit(settings.limits.connections)

    return create_app(settings)


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        sock = socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        reason = reason.partition(" (while")[0]  # Python adds "(while attempting to bind on address ...)"
        raise SettingsError(
            f"cannot listen on {settings.host} port {settings.port}: {reason}; see --host, --port."
        ) from error
    with sock:
        sock.set_inheritable(True)
        # Accepted connections inherit these options. asyncio sets TCP_NODELAY only on sockets that it opens itself;
        # without it, a response's body waits 40 ms for the client to acknowledge its head.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNREAD_BYTES)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _UNREAD_SECONDS)
        yield sock


@contextmanager
def _metrics_folder() -> Iterator[None]:
    """Make a folder that only this user can read, for the workers' metrics, and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="serkit-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER_VARIABLE]


def _url(host: str, sock: socket.socket) -> str:
    port = sock.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
