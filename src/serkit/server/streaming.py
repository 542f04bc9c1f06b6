"""Live streams: sound comes in over a WebSocket, events go out.

Each message is processed before the next, which gives back-pressure: while a message is processed, or an event waits
for a slow client, the service reads only one more message. The socket's buffers fill, and the client has to wait.
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
from serkit.server.clients import client_of
from serkit.server.service import Service
from serkit.server.wire_protocol import (
    MAX_MESSAGE_BYTES,
    VERSION,
    EventWriter,
    Reason,
    StreamQuery,
    WireProtocolError,
    check_first_frame,
    close_code,
    decode_frame,
    is_session_end,
    parse_query,
)

_MAX_SLOWDOWN = 2  # maximum wall-clock duration of a stream, in multiples of session_seconds
_log = logging.getLogger("uvicorn.error")


class SessionEndedError(Exception):
    """The stream ended.

    Args:
        reason: Reason of the end.
        error: Code and message of the error, if an error is the reason.
    """

    def __init__(self, reason: Reason, error: tuple[str, str] | None = None) -> None:
        super().__init__(reason)
        self.reason, self.error = reason, error


class Session:
    """One live stream.

    Args:
        socket: Accepted WebSocket.
        service: Service that runs the model.
        query: Query parameters of the stream.
        client: Client that opened it.
    """

    def __init__(self, socket: WebSocket, service: Service, query: StreamQuery, client: str) -> None:
        self._socket, self._service, self._query, self._client = socket, service, query, client
        self._stream: Stream = service.recognizer.stream(**query.options())
        self._limits = service.settings.limits
        self._to_protocol = EventWriter()
        self._now = asyncio.get_running_loop().time
        self._begun = self._last_sound = self._now()
        self._has_sound = False
        self._next: asyncio.Task[Any] | None = None  # a message read ahead, so that a disconnect is noticed early

    async def run(self) -> None:
        """Serve the stream until it ends, and tell a client that is still connected why."""
        try:
            await self._close(await self._serve())
        except WebSocketDisconnect:
            self._service.metrics.streams.labels("gone").inc()
        except Exception:
            _log.exception("a stream failed")
            self._service.metrics.errors.labels("internal-error").inc()
            fault = ("internal_error", "the service failed; its log has the cause.")
            await self._close(SessionEndedError("error", fault), is_flushed=False)
        finally:
            if self._next:
                self._next.cancel()
                await asyncio.wait({self._next})
                self._next.cancelled() or self._next.exception()

    async def _serve(self) -> SessionEndedError:
        """Process messages until the stream ends; return the reason."""
        try:
            await self._send(self._created())
            while True:
                await self._step(await self._receive())
        except SessionEndedError as closed:
            return closed
        except WireProtocolError as error:
            return SessionEndedError("error", (error.code, error.message))
        except InferenceError:
            return SessionEndedError("error", ("model_failed", "the model failed, most likely for lack of memory."))
        except SerkitError as error:  # samples that are not audio
            return SessionEndedError("error", ("bad_frame", str(error)))

    async def _step(self, message: dict[str, Any]) -> None:
        if (frame := message.get("bytes")) is not None:
            if frame and not self._has_sound:
                check_first_frame(frame, self._query)
                self._has_sound = True
            for piece in _seconds(decode_frame(frame, self._query), self._query.sampling_rate):
                self._check()
                await self._send_events(partial(self._stream.push, piece))
                self._service.metrics.audio.labels("stream").inc(piece.shape[1] / self._query.sampling_rate)
                self._last_sound = self._now()
        elif is_session_end(message.get("text") or ""):
            raise SessionEndedError("client")

    async def _receive(self) -> dict[str, Any]:
        """Return the next message.

        Raises:
            SessionEndedError: If no message comes in time, or the service shuts down.
            WebSocketDisconnect: If the client disconnects.
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
            raise SessionEndedError("idle", ("idle", f"no sound arrived for {self._limits.idle_seconds:g} s."))
        message: dict[str, Any] = dict(self._coming.result())
        self._next = None
        return message

    @property
    def _coming(self) -> asyncio.Task[Any]:
        if self._next is None:
            self._next = asyncio.ensure_future(self._socket.receive())
        return self._next

    def _check(self) -> None:
        """Check whether the stream has to end, also in the middle of a message.

        Raises:
            SessionEndedError: If the service shuts down, or the stream has reached its maximum duration.
            WebSocketDisconnect: If the client has disconnected.
        """
        if self._coming.done() and (message := self._coming.result())["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        if self._service.closing.is_set():
            raise SessionEndedError("shutdown", ("shutting_down", "the service is shutting down."))
        most = self._limits.session_seconds
        if self._stream.duration >= most or self._now() - self._begun >= _MAX_SLOWDOWN * most:
            raise SessionEndedError("limit", ("too_long", f"the stream reached its maximum duration of {most:g} s."))

    async def _send_events(self, process: Callable[[], Iterable[Any]]) -> None:
        for event in self._to_protocol(await self._service.run_model(process, self._client)):
            await self._send(event)

    async def _close(self, closed: SessionEndedError, *, is_flushed: bool = True) -> None:
        """Send the error, the remaining events and the reason, then close the WebSocket."""
        self._service.metrics.streams.labels(closed.reason).inc()
        if closed.reason == "slow":  # the client would not read it
            return
        with suppress(
            WebSocketDisconnect, SessionEndedError, TimeoutError
        ):  # the client may have disconnected or stopped reading
            if closed.error:
                await self._send({"type": "error", "code": closed.error[0], "message": closed.error[1]})
            if is_flushed:
                with suppress(SerkitError):
                    await self._send_events(self._stream.flush)
            duration = round(self._stream.duration, 3)
            closing = {"type": "session.closed", "reason": closed.reason, "duration": duration}
            await self._send(closing | {"remarks": list(self._stream.remarks)})
            error = closed.error[0] if closed.error else ""
            async with asyncio.timeout(self._limits.idle_seconds):
                await self._socket.close(close_code(closed.reason, error), error)

    async def _send(self, event: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                await self._socket.send_text(json.dumps(event))
        except TimeoutError:
            raise SessionEndedError("slow") from None

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
                "message_bytes": MAX_MESSAGE_BYTES,
                "session_seconds": self._limits.session_seconds,
                "idle_seconds": self._limits.idle_seconds,
            },
        }


def _seconds(samples: NDArray[Any], rate: int) -> Iterator[NDArray[Any]]:
    """Cut samples, shape (channels, T), into pieces of at most one second."""
    return (samples[:, start : start + rate] for start in range(0, samples.shape[1], rate))


async def serve_stream(socket: WebSocket, service: Service, subprotocol: str | None) -> None:
    """Accept a WebSocket and serve its stream.

    Args:
        socket: WebSocket, not yet accepted.
        service: Service that runs the model.
        subprotocol: Subprotocol to accept; None for none.
    """
    await socket.accept(subprotocol)
    try:
        session = Session(socket, service, parse_query(dict(socket.query_params)), client_of(socket.scope))
    except WireProtocolError as error:
        await _refuse(socket, error.code, error.message)
        return
    except SerkitError as error:  # vad at too low a sampling rate, or a window too short for the model
        await _refuse(socket, "invalid_parameter", str(error))
        return
    await session.run()


async def _refuse(socket: WebSocket, code: str, message: str) -> None:
    closing = {"type": "session.closed", "reason": "error", "duration": 0.0, "remarks": []}
    with suppress(WebSocketDisconnect):
        await socket.send_text(json.dumps({"type": "error", "code": code, "message": message}))
        await socket.send_text(json.dumps(closing))
        await socket.close(1008, code)
