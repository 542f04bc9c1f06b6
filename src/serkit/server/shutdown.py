"""Shutting down: streams are told before their connections go, requests are finished, nothing new is begun."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from serkit.server.service import Service

_STREAM_SECONDS = 3.0  # that streams have for their last words
_STEP = 0.02
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def warned_of_the_end(service: Service) -> Iterator[None]:
    """Hear the signals that end the service before uvicorn does, which closes each WebSocket without a word."""
    loop = asyncio.get_running_loop()
    previous: dict[signal.Signals, Any] = {}
    tasks: list[asyncio.Task[None]] = []

    async def drain(number: signal.Signals) -> None:
        service.closing.set()
        waited = 0.0
        while service.sessions.taken and waited < _STREAM_SECONDS:
            await asyncio.sleep(_STEP)
            waited += _STEP
        previous[number](number, None)

    def begin(number: signal.Signals) -> None:
        if not tasks:
            tasks.append(loop.create_task(drain(number)))

    def hear(received: int, frame: FrameType | None) -> None:
        number = signal.Signals(received)
        if tasks and number == signal.SIGINT:  # Ctrl-C again: at once
            previous[number](number, frame)
        loop.call_soon_threadsafe(begin, number)

    for number in _SIGNALS:
        handler = signal.getsignal(number)
        if callable(handler):  # not where the application runs in a thread of another program
            previous[number] = handler
    try:
        for number in previous:
            signal.signal(number, hear)
    except ValueError:  # only a main thread may
        previous.clear()
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
