"""``serkit serve``: a process that starts workers at one socket, and others where one dies."""

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from serkit.errors import RecipeError
from serkit.server.counters import FOLDER_VARIABLE
from serkit.server.isolation import die_with_parent
from serkit.server.service_settings import Settings
from serkit.server.streaming import LONGEST_MESSAGE

if TYPE_CHECKING:
    from fastapi import FastAPI
    from uvicorn import Config

_GRACE_SECONDS = 320  # for requests that run when the service ends: a timeline may take 300 s
_BACKLOG = 1024
_UNREAD_BYTES = 262_144  # that the system keeps for a client that does not read; by itself Linux keeps megabytes
_CLIENTS_FAULTS = ("without completing handshake", "Invalid UTF-8")  # the first is said of each stream that was refused
_HEALTH_SECONDS = 30  # without an answer a worker counts as hung


def serve(settings: Settings, *, on_start: Callable[[str], None] = lambda address: None) -> None:
    """Serve until a signal ends it; running requests are finished.

    Args:
        settings: How.
        on_start: Called with the address, once it is listened at.

    Raises:
        RecipeError: If the address cannot be listened at, or a worker cannot start.
        ModelFileError: If the model cannot be read.
    """
    with _listening(settings) as sock, _metrics_folder():
        from uvicorn import Config

        from serkit.runtime.recognizer import Recognizer

        Recognizer.load(settings.model, threads=1)  # what is wrong with it shows here, not in each worker
        config = Config(
            partial(_create_worker, settings), factory=True, workers=settings.workers, lifespan="on",
            http="h11", ws="websockets-sansio", ws_max_size=LONGEST_MESSAGE, ws_per_message_deflate=False,
            ws_ping_interval=None,  # a pong stands behind sound that waits; who is silent is closed as idle anyway
            proxy_headers=bool(settings.trusted_proxies), forwarded_allow_ips=list(settings.trusted_proxies),
            server_header=False, access_log=settings.is_logging_requests, log_level="info", log_config=_LOG,
            timeout_graceful_shutdown=_GRACE_SECONDS, timeout_worker_healthcheck=_HEALTH_SECONDS,
        )  # fmt: skip
        on_start(_address(settings.host, sock))
        if not _supervise(config, sock):
            raise RecipeError("a worker could not start, and the service ends; what it said stands above.")


def _supervise(config: "Config", sock: socket.socket) -> bool:
    """Run workers until a signal ends them; say whether one did."""
    from uvicorn.supervisors import Multiprocess

    class Supervisor(Multiprocess):
        is_told = False

        def handle_signals(self) -> None:
            self.is_told |= not {signal.SIGINT, signal.SIGTERM}.isdisjoint(self.signal_queue)
            super().handle_signals()

        def keep_subprocess_alive(self) -> None:
            for worker in self.processes:  # who dies while it is asked whether it lives is then heard of at once
                worker.child_conn.close()
            super().keep_subprocess_alive()

    supervisor = Supervisor(config, sockets=[sock])
    supervisor.run()
    return supervisor.is_told or bool(supervisor.signal_queue)


class Quiet(logging.Filter):
    """Leaves out what uvicorn says of streams: clients' addresses, and the faults that only clients have."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written."""
        if "websockets" not in record.pathname:
            return True
        return record.levelno > logging.INFO and not any(words in record.msg for words in _CLIENTS_FAULTS)


def _create_worker(settings: Settings) -> "FastAPI":
    """Return the application, in the process that serves it."""
    die_with_parent()
    from serkit.server.app import create_app

    return create_app(settings)


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        sock = socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        why = str(getattr(error, "strerror", None) or error).partition(" (while")[
            0
        ]  # of binding to what is said anyway
        raise RecipeError(
            f"cannot listen at {settings.host} port {settings.port}: {why}; see --host, --port."
        ) from error
    with sock:
        sock.set_inheritable(True)
        # Each connection that it accepts has these too; asyncio sets the second for sockets alone that it opens itself,
        # and without it an answer waits 40 ms for the client's acknowledgement of its head.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNREAD_BYTES)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield sock


@contextmanager
def _metrics_folder() -> Iterator[None]:
    """Give the workers a folder that only this user can read, in which they add up what they count."""
    with tempfile.TemporaryDirectory(prefix="serkit-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER_VARIABLE]


def _address(host: str, sock: socket.socket) -> str:
    port = sock.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


_LOG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(process)d %(message)s"}},
    "filters": {"quiet": {"()": "serkit.server.supervisor.Quiet"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "stream": "ext://sys.stderr",
            "filters": ["quiet"],
        }
    },
    "loggers": {
        "uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "uvicorn.access": {"level": "INFO"},
        "python_multipart": {"level": "CRITICAL"},  # it warns of each fault in a form, of which the sender is told
    },
}
