"""Graceful shutdown: streams get a last message, running requests finish, and new ones are refused."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from serkit.server.service import Service

_STREAM_SECONDS = 3.0  # time for streams to send their last messages
_POLL_SECONDS = 0.02
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def graceful_shutdown(service: Service) -> Iterator[None]:
    """Handle SIGINT and SIGTERM before uvicorn does, which would close each WebSocket without a last message."""
    loop = asyncio.get_running_loop()
    previous: dict[signal.Signals, Any] = {}
    tasks: list[asyncio.Task[None]] = []

    async def drain(number: signal.Signals) -> None:
        service.closing.set()
        waited = 0.0
        while service.sessions.taken and waited < _STREAM_SECONDS:
            await asyncio.sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
        previous[number](number, None)

    def begin(number: signal.Signals) -> None:
        if not tasks:
            tasks.append(loop.create_task(drain(number)))

    def handle(received: int, frame: FrameType | None) -> None:
        number = signal.Signals(received)
        if tasks and number == signal.SIGINT:  # a second Ctrl-C ends the service at once
            previous[number](number, frame)
        loop.call_soon_threadsafe(begin, number)

    for number in _SIGNALS:
        handler = signal.getsignal(number)
        if callable(handler):  # uvicorn's handler; otherwise the default action, or none
            previous[number] = handler
    try:
        for number in previous:
            signal.signal(number, handle)
    except ValueError:  # only the main thread may set handlers
        previous.clear()
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
