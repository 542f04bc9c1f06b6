"""The protocol of live streams (``docs/PROTOCOL.md``): PCM frames come in, JSON events go out."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serkit.audio.resampling import MAX_SAMPLING_RATE, MIN_SAMPLING_RATE
from serkit.runtime.stream import LONGEST_WINDOW, SHORTEST_HOP, SHORTEST_WINDOW
from serkit.server.container_bytes import container_at, how_to_send_samples
from serkit.types import StreamEvent

VERSION = 1
MAX_MESSAGE_BYTES = 1 << 20  # ten seconds of 16-bit mono at 48,000 Hz
_TYPES: dict[str, np.dtype[Any]] = {"pcm_s16le": np.dtype("<i2"), "pcm_f32le": np.dtype("<f4")}
_MAX_CHANNELS = 8
_MAX_OVERLAP = 30  # hops per window, which is how many times each second of sound runs through the model

Reason = Literal["client", "idle", "limit", "error", "shutdown", "slow"]
_CLOSE_CODES: dict[str, int] = {  # RFC 6455, section 7.4.1, and the registry of WebSocket close codes
    "client": 1000,
    "idle": 1008,
    "limit": 1008,
    "slow": 1008,
    "error": 1003,
    "shutdown": 1001,
}
_ERROR_CLOSE_CODES = {"invalid_parameter": 1008, "model_failed": 1011, "internal_error": 1011}


class StreamQuery(BaseModel):
    """The query parameters of ``/v1/stream``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sampling_rate: int = Field(ge=MIN_SAMPLING_RATE, le=MAX_SAMPLING_RATE)
    encoding: Literal["pcm_s16le", "pcm_f32le"] = "pcm_s16le"
    channels: int = Field(1, ge=1, le=_MAX_CHANNELS)
    window: float = Field(3.0, ge=SHORTEST_WINDOW, le=LONGEST_WINDOW)
    hop: float = Field(1.0, ge=SHORTEST_HOP, le=LONGEST_WINDOW)
    vad: bool = True
    smooth: float = Field(0.0, ge=0, le=LONGEST_WINDOW)
    threshold: float | None = Field(None, ge=0, le=1)

    def options(self) -> dict[str, Any]:
        """Return the options of :meth:`serkit.Recognizer.stream`."""
        return self.model_dump(exclude={"encoding", "channels"})


class WireProtocolError(Exception):
    """A message or parameter of a client that violates the protocol.

    Args:
        code: Name of the error, for programs.
        message: One sentence for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def close_code(reason: Reason, error: str | None = None) -> int:
    """Return the WebSocket close code for an error, or for the reason if the error has none of its own."""
    return _ERROR_CLOSE_CODES.get(error or "", _CLOSE_CODES[reason])


def parse_query(parameters: dict[str, str]) -> StreamQuery:
    """Parse the query parameters of a stream.

    Raises:
        WireProtocolError: If a parameter is missing, unknown or out of range.
    """
    try:
        query = StreamQuery.model_validate(parameters)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"])) or "the query"
        raise WireProtocolError("invalid_parameter", f"{name}: {first['msg'].rstrip('.')}.") from error
    if query.window > _MAX_OVERLAP * query.hop * (1 + 1e-9):
        raise WireProtocolError(
            "invalid_parameter", f"window: {query.window:g} s is more than {_MAX_OVERLAP} hops of {query.hop:g} s."
        )
    return query


def check_first_frame(frame: bytes, query: StreamQuery) -> None:
    """Check that a stream does not begin with a file.

    Raises:
        WireProtocolError: If it does.
    """
    if what := container_at(frame):
        raise WireProtocolError(
            "bad_frame", how_to_send_samples(what, query.encoding, query.sampling_rate, query.channels)
        )


def decode_frame(frame: bytes, query: StreamQuery) -> NDArray[Any]:
    """Return the samples in a binary message, shape (channels, T).

    Raises:
        WireProtocolError: If the message does not hold whole samples of all channels, or holds NaN or infinity.
    """
    kind = _TYPES[query.encoding]
    width = kind.itemsize * query.channels
    if len(frame) % width:
        raise WireProtocolError(
            "bad_frame", f"a frame has {len(frame)} bytes; expected a multiple of {width} for {query.encoding} with "
            f"{query.channels} channel{'' if query.channels == 1 else 's'}.",
        )  # fmt: skip
    samples: NDArray[Any] = np.frombuffer(frame, kind).reshape(-1, query.channels).T
    if kind.kind == "f" and not np.isfinite(samples).all():
        raise WireProtocolError("bad_frame", "a frame holds NaN or infinite samples.")
    return samples


def is_session_end(text: str) -> bool:
    """Return True if a text message ends the stream.

    Raises:
        WireProtocolError: If it is any other message.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireProtocolError("bad_message", "a text message is not JSON.") from error
    if not isinstance(message, dict) or message.get("type") != "session.end":
        raise WireProtocolError("unknown_message", 'the only text message is {"type": "session.end"}.')
    return True


class EventWriter:
    """Turns events of the runtime into events of the protocol.

    A ``speech_end`` and the ``utterance`` that follows it become one ``utterance.end``.
    """

    def __init__(self) -> None:
        self._begun = 0.0  # start of the current speech, in seconds

    def __call__(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """Yield the protocol events for the runtime events of one piece of sound."""
        ended: StreamEvent | None = None
        for event in events:
            if ended is not None:  # the utterance follows at once, unless the speech is too short for the model
                yield self._end(ended, event if event.kind == "utterance" else None)
                ended = None
            if event.kind == "speech_start":
                self._begun = event.start
                yield {"type": "speech.start", "start": event.start}
            elif event.kind == "emotion":
                yield {"type": "emotion", "start": event.start, "end": event.end} | _prediction(event)
            elif event.kind == "speech_end":
                ended = event
        if ended is not None:
            yield self._end(ended, None)

    def _end(self, ended: StreamEvent, utterance: StreamEvent | None) -> dict[str, Any]:
        prediction = _prediction(utterance) if utterance else {"emotion": None, "probabilities": {}}
        return {"type": "utterance.end", "start": self._begun, "end": ended.end} | prediction


def _prediction(event: StreamEvent) -> dict[str, Any]:
    shares = {name: round(share, 6) for name, share in event.probabilities.items()}
    return {"emotion": event.emotion, "probabilities": shares}
