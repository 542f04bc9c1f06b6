"""One stream: sound comes in over a WebSocket and events go out, each piece answered before the next is taken.

That is the back-pressure: while a piece is heard, or an event waits for a slow client, nothing is read, the socket's
buffers fill, and the client has to wait. Nothing piles up here.
"""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from serkit.errors import InferenceError, SerkitError
from serkit.runtime.stream import Stream
from serkit.server.protocol import (
    CLOSE_CODES,
    VERSION,
    EventWriter,
    ProtocolError,
    Reason,
    StreamQuery,
    is_end,
    read_query,
    samples_of,
)
from serkit.server.service import Service

LONGEST_MESSAGE = 1 << 20  # bytes; of 16 bits at 48,000 Hz ten seconds


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

    async def run(self) -> None:
        """Serve it to its end, which is told to the client where it still listens."""
        try:
            await self._send(self._created())
            while True:
                await self._step()
        except ClosedError as closed:
            await self._close(closed)
        except ProtocolError as error:
            await self._close(ClosedError("error", (error.code, error.message)))
        except InferenceError:
            await self._close(ClosedError("error", ("model_failed", "the model failed for want of resources.")))
        except WebSocketDisconnect:
            self._service.metrics.streams.labels("gone").inc()

    async def _step(self) -> None:
        message = await self._receive()
        if (frame := message.get("bytes")) is not None:
            samples = samples_of(frame, self._query)
            await self._tell(partial(self._stream.push, samples))
            self._service.metrics.audio.labels("stream").inc(samples.shape[1] / self._query.sampling_rate)
            if self._stream.duration >= self._limits.session_seconds:
                raise ClosedError("limit", ("too_long", f"a stream lasts {self._limits.session_seconds:g} s at most."))
        elif is_end(message.get("text") or ""):
            raise ClosedError("client")

    async def _receive(self) -> dict[str, Any]:
        """Return the next message.

        Raises:
            ClosedError: If none comes, or the service ends.
        """
        received = asyncio.ensure_future(self._socket.receive())
        closing = asyncio.ensure_future(self._service.closing.wait())
        try:
            await asyncio.wait(
                {received, closing}, timeout=self._limits.idle_seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            closing.cancel()
            if not received.done():
                received.cancel()
        if received.cancelled() or not received.done():
            if self._service.closing.is_set():
                raise ClosedError("shutdown", ("shutting_down", "the service is shutting down."))
            raise ClosedError("idle", ("idle", f"no sound came for {self._limits.idle_seconds:g} s."))
        message: dict[str, Any] = dict(received.result())
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        return message

    async def _tell(self, hear: Callable[[], Iterable[Any]]) -> None:
        for event in self._written(await self._service.in_thread(hear)):
            await self._send(event)

    async def _close(self, closed: ClosedError) -> None:
        """Say what is still to be said, why it ends, and end."""
        self._service.metrics.streams.labels(closed.reason).inc()
        if closed.reason == "slow":  # it would not read why
            return
        with suppress(WebSocketDisconnect, ClosedError, TimeoutError):  # the client may have gone, or no longer read
            if closed.error:
                await self._send({"type": "error", "code": closed.error[0], "message": closed.error[1]})
            with suppress(SerkitError):
                await self._tell(self._stream.flush)
            duration = round(self._stream.duration, 3)
            await self._send({"type": "session.closed", "reason": closed.reason, "duration": duration})
            async with asyncio.timeout(self._limits.idle_seconds):
                await self._socket.close(CLOSE_CODES[closed.reason], closed.error[0] if closed.error else "")

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


async def serve_stream(socket: WebSocket, service: Service, subprotocol: str | None) -> None:
    """Accept a client and serve it."""
    await socket.accept(subprotocol)
    try:
        session = Session(socket, service, read_query(dict(socket.query_params)))
    except ProtocolError as error:
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
