"""Prometheus metrics of the service, summed over all workers, including those that have died.

With several worker processes, each keeps its values in files in a folder that :mod:`serkit.server.supervisor` makes.
The worker that receives ``GET /metrics`` adds up the values of all (the multiprocess mode of prometheus-client).
"""

import os
from contextlib import suppress
from pathlib import Path
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus-client
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # what generate_latest writes
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The metrics of one worker."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "serkit_requests", "Requests that were answered.", ("method", "path", "status"), registry=registry
        )
        self.seconds = Histogram(
            "serkit_request_seconds", "Time from a request to the end of its response.", ("path",), registry=registry,
            buckets=_SECONDS,
        )  # fmt: skip
        self.audio = Counter("serkit_audio_seconds", "Seconds of sound processed.", ("kind",), registry=registry)
        self.errors = Counter("serkit_errors", "Problems by code.", ("code",), registry=registry)
        self.queue = Gauge(
            "serkit_queue", "Uploads being processed or waiting.", registry=registry, multiprocess_mode="livesum"
        )
        self.sessions = Gauge("serkit_sessions", "Open streams.", registry=registry, multiprocess_mode="livesum")
        self.streams = Counter("serkit_streams", "Streams by the reason of their end.", ("reason",), registry=registry)
        self.batches = Histogram(
            "serkit_batch_clips", "Clips and windows in one run of the model.", registry=registry, buckets=_SIZES
        )

    def render(self) -> bytes:
        """Return the metrics of all workers in Prometheus's text format."""
        folder = os.environ.get(FOLDER_VARIABLE)
        if not folder:
            return generate_latest(self._registry)
        forget_dead(Path(folder))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def forget_dead(folder: Path) -> None:
    """Remove the gauges of dead processes; their counters stay."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another worker was faster
                mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:
            pass


class MetricsMiddleware:
    """Counts requests by route, never by the path that a client sent."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(_method(scope["method"]), path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(perf_counter() - start)


def _method(name: str) -> str:
    return name if name in ("GET", "HEAD", "POST", "OPTIONS") else "other"
