"""One stream: sound comes in over a WebSocket and events go out, each message answered before the next is heard.

That is the back-pressure: while a message is heard, or an event waits for a slow client, one more is read and no other;
the socket's buffers fill, and the client has to wait. Nothing piles up here.
"""

import asyncio
import json
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from numpy.typing import NDArray
from starlette.websockets import WebSocket, WebSocketDisconnect

from serkit.errors import InferenceError, SerkitError
from serkit.runtime.stream import Stream
from serkit.server.service import Service
from serkit.server.wire_protocol import (
    VERSION,
    EventWriter,
    Reason,
    StreamQuery,
    WireProtocolError,
    close_code,
    is_end,
    read_query,
    samples_of,
)

LONGEST_MESSAGE = 1 << 20  # bytes; of 16 bits at 48,000 Hz ten seconds
_PACE = 2  # a stream may last so many times as long as the sound that it may have
_log = logging.getLogger("uvicorn.error")


class ClosedError(Exception):
    """A stream that ends.

    Args:
        reason: Why.
        error: Code and message, where the reason is a fault.
    """

    def __init__(self, reason: Reason, error: tuple[str, str] | None = None) -> None:
        super().__init__(reason)
        self.reason, self.error = reason, error


class Session:
    """One stream of one client.

    Args:
        socket: That has been accepted.
        service: That it runs in.
        query: How the client wants to be heard.
    """

    def __init__(self, socket: WebSocket, service: Service, query: StreamQuery) -> None:
        self._socket, self._service, self._query = socket, service, query
        self._stream: Stream = service.recognizer.stream(**query.options())
        self._limits = service.settings.limits
        self._written = EventWriter()
        self._now = asyncio.get_running_loop().time
        self._begun = self._last_sound = self._now()
        self._next: asyncio.Task[Any] | None = None  # the message that is read ahead, so that a client's end is seen

    async def run(self) -> None:
        """Serve it to its end, which is told to the client where it still listens."""
        try:
            await self._close(await self._hear())
        except WebSocketDisconnect:
            self._service.metrics.streams.labels("gone").inc()
        except Exception:
            _log.exception("a stream failed")
            self._service.metrics.errors.labels("internal-error").inc()
            fault = ("internal_error", "the service failed; whoever runs it finds the reason in its log.")
            await self._close(ClosedError("error", fault), is_flushed=False)
        finally:
            if self._next:
                self._next.cancel()
                await asyncio.wait({self._next})
                self._next.cancelled() or self._next.exception()

    async def _hear(self) -> ClosedError:
        """Hear what comes; return why that ends."""
        try:
            await self._send(self._created())
            while True:
                await self._step(await self._receive())
        except ClosedError as closed:
            return closed
        except WireProtocolError as error:
            return ClosedError("error", (error.code, error.message))
        except InferenceError:
            return ClosedError("error", ("model_failed", "the model failed for want of resources."))
        except SerkitError as error:  # numbers that are no sound
            return ClosedError("error", ("bad_frame", str(error)))

    async def _step(self, message: dict[str, Any]) -> None:
        if (frame := message.get("bytes")) is not None:
            for piece in _seconds(samples_of(frame, self._query), self._query.sampling_rate):
                self._check()
                await self._tell(partial(self._stream.push, piece))
                self._service.metrics.audio.labels("stream").inc(piece.shape[1] / self._query.sampling_rate)
                self._last_sound = self._now()
        elif is_end(message.get("text") or ""):
            raise ClosedError("client")

    async def _receive(self) -> dict[str, Any]:
        """Return the next message.

        Raises:
            ClosedError: If none comes, or the service ends.
            WebSocketDisconnect: If the client is gone.
        """
        self._check()
        closing = asyncio.ensure_future(self._service.closing.wait())
        left = max(0.0, self._last_sound + self._limits.idle_seconds - self._now())
        try:
            await asyncio.wait({self._coming, closing}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closing.cancel()
        self._check()
        if not self._coming.done() or left == 0:
            raise ClosedError("idle", ("idle", f"no sound came for {self._limits.idle_seconds:g} s."))
        message: dict[str, Any] = dict(self._coming.result())
        self._next = None
        return message

    @property
    def _coming(self) -> asyncio.Task[Any]:
        if self._next is None:
            self._next = asyncio.ensure_future(self._socket.receive())
        return self._next

    def _check(self) -> None:
        """Look whether anything ends the stream, in the middle of a message too.

        Raises:
            ClosedError: If the service ends, or the stream has lasted as long as it may.
            WebSocketDisconnect: If the client is gone.
        """
        if self._coming.done() and (message := self._coming.result())["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        if self._service.closing.is_set():
            raise ClosedError("shutdown", ("shutting_down", "the service is shutting down."))
        most = self._limits.session_seconds
        if self._stream.duration >= most or self._now() - self._begun >= _PACE * most:
            raise ClosedError("limit", ("too_long", f"a stream lasts {most:g} s at most."))

    async def _tell(self, hear: Callable[[], Iterable[Any]]) -> None:
        for event in self._written(await self._service.in_thread(hear)):
            await self._send(event)

    async def _close(self, closed: ClosedError, *, is_flushed: bool = True) -> None:
        """Say what is still to be said, why it ends, and end."""
        self._service.metrics.streams.labels(closed.reason).inc()
        if closed.reason == "slow":  # it would not read why
            return
        with suppress(WebSocketDisconnect, ClosedError, TimeoutError):  # the client may have gone, or no longer read
            if closed.error:
                await self._send({"type": "error", "code": closed.error[0], "message": closed.error[1]})
            if is_flushed:
                with suppress(SerkitError):
                    await self._tell(self._stream.flush)
            duration = round(self._stream.duration, 3)
            await self._send({"type": "session.closed", "reason": closed.reason, "duration": duration})
            error = closed.error[0] if closed.error else ""
            async with asyncio.timeout(self._limits.idle_seconds):
                await self._socket.close(close_code(closed.reason, error), error)

    async def _send(self, event: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                await self._socket.send_text(json.dumps(event))
        except TimeoutError:
            raise ClosedError("slow") from None

    def _created(self) -> dict[str, Any]:
        card = self._service.recognizer.card
        return {
            "type": "session.created",
            "protocol": VERSION,
            "id": uuid.uuid4().hex,
            "model": card.name,
            "classes": list(card.classes),
            **self._query.model_dump(),
            "limits": {
                "message_bytes": LONGEST_MESSAGE,
                "session_seconds": self._limits.session_seconds,
                "idle_seconds": self._limits.idle_seconds,
            },
        }


def _seconds(samples: NDArray[Any], rate: int) -> Iterator[NDArray[Any]]:
    """Cut samples, shape (channels, T), into pieces that are heard in little time."""
    return (samples[:, start : start + rate] for start in range(0, samples.shape[1], rate))


async def serve_stream(socket: WebSocket, service: Service, subprotocol: str | None) -> None:
    """Accept a client and serve it."""
    await socket.accept(subprotocol)
    try:
        session = Session(socket, service, read_query(dict(socket.query_params)))
    except WireProtocolError as error:
        await _refuse(socket, error.code, error.message)
        return
    except SerkitError as error:  # vad at a rate that leaves nothing of a voice, a window too short for the model
        await _refuse(socket, "invalid_parameter", str(error))
        return
    await session.run()


async def _refuse(socket: WebSocket, code: str, message: str) -> None:
    with suppress(WebSocketDisconnect):
        await socket.send_text(json.dumps({"type": "error", "code": code, "message": message}))
        await socket.send_text(json.dumps({"type": "session.closed", "reason": "error", "duration": 0.0}))
        await socket.close(1008, code)
