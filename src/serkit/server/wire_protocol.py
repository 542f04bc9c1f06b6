"""What is said over a stream, as ``docs/PROTOCOL.md`` has it: frames of PCM come in, JSON events go out."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serkit.audio.decode import MAX_SAMPLING_RATE, MIN_SAMPLING_RATE
from serkit.runtime.stream import LONGEST_WINDOW, SHORTEST_HOP, SHORTEST_WINDOW
from serkit.types import StreamEvent

VERSION = 1
_TYPES: dict[str, np.dtype[Any]] = {"pcm_s16le": np.dtype("<i2"), "pcm_f32le": np.dtype("<f4")}
_MOST_CHANNELS = 8
_MOST_OVERLAP = 30  # hops in a window: each second of sound goes through the model so often

Reason = Literal["client", "idle", "limit", "error", "shutdown", "slow"]
_CLOSE_CODES: dict[str, int] = {  # of RFC 6455, section 7.4.1, and the registry of WebSocket close codes
    "client": 1000,
    "idle": 1008,
    "limit": 1008,
    "slow": 1008,
    "error": 1003,
    "shutdown": 1001,
}
_CODES_OF_ERRORS = {"invalid_parameter": 1008, "model_failed": 1011, "internal_error": 1011}


class StreamQuery(BaseModel):
    """How a client wants to be heard: the query of ``/v1/stream``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sampling_rate: int = Field(ge=MIN_SAMPLING_RATE, le=MAX_SAMPLING_RATE)
    encoding: Literal["pcm_s16le", "pcm_f32le"] = "pcm_s16le"
    channels: int = Field(1, ge=1, le=_MOST_CHANNELS)
    window: float = Field(3.0, ge=SHORTEST_WINDOW, le=LONGEST_WINDOW)
    hop: float = Field(1.0, ge=SHORTEST_HOP, le=LONGEST_WINDOW)
    vad: bool = True
    smooth: float = Field(0.0, ge=0, le=LONGEST_WINDOW)
    threshold: float | None = Field(None, ge=0, le=1)

    def options(self) -> dict[str, Any]:
        """Return the options of :meth:`serkit.Recognizer.stream`."""
        return self.model_dump(exclude={"encoding", "channels"})


class WireProtocolError(Exception):
    """A client said what it must not.

    Args:
        code: What programs tell errors by.
        message: One sentence for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def close_code(reason: Reason, error: str | None = None) -> int:
    """Return with what a WebSocket closes: by the error's code, or else by the reason."""
    return _CODES_OF_ERRORS.get(error or "", _CLOSE_CODES[reason])


def read_query(query: dict[str, str]) -> StreamQuery:
    """Read the query of a stream.

    Raises:
        WireProtocolError: If a parameter is missing, unknown or out of range.
    """
    try:
        read = StreamQuery.model_validate(query)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"])) or "the query"
        raise WireProtocolError("invalid_parameter", f"{name}: {first['msg'].rstrip('.')}.") from error
    if read.window > _MOST_OVERLAP * read.hop * (1 + 1e-9):
        raise WireProtocolError(
            "invalid_parameter", f"window: {read.window:g} s are more than {_MOST_OVERLAP} hops of {read.hop:g} s."
        )
    return read


def samples_of(frame: bytes, query: StreamQuery) -> NDArray[Any]:
    """Return the samples of a binary message, shape (channels, T).

    Raises:
        WireProtocolError: If it does not hold whole samples of all channels, or they are no numbers.
    """
    kind = _TYPES[query.encoding]
    width = kind.itemsize * query.channels
    if len(frame) % width:
        raise WireProtocolError(
            "bad_frame", f"a frame of {len(frame)} bytes; {query.encoding} with {query.channels} "
            f"channel{'' if query.channels == 1 else 's'} comes in multiples of {width}.",
        )  # fmt: skip
    samples: NDArray[Any] = np.frombuffer(frame, kind).reshape(-1, query.channels).T
    if kind.kind == "f" and not np.isfinite(samples).all():
        raise WireProtocolError("bad_frame", "a frame holds samples that are not finite.")
    return samples


def is_end(text: str) -> bool:
    """Say whether a text message ends the stream.

    Raises:
        WireProtocolError: If it is anything else.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireProtocolError("bad_message", "a text message is not JSON.") from error
    if not isinstance(message, dict) or message.get("type") != "session.end":
        raise WireProtocolError("unknown_message", 'the one text message that there is is {"type": "session.end"}.')
    return True


class EventWriter:
    """Turns a stream's events into those that are sent; the end of speech and the answer on it are one."""

    def __init__(self) -> None:
        self._begun = 0.0  # where the stretch of speech began, in seconds

    def __call__(self, events: Iterable[StreamEvent]) -> Iterator[dict[str, Any]]:
        """Yield what is to be sent of the events of one piece."""
        ended: StreamEvent | None = None
        for event in events:
            if ended is not None:  # the answer comes right behind the end, but for what is too short for the model
                yield self._end(ended, event if event.kind == "utterance" else None)
                ended = None
            if event.kind == "speech_start":
                self._begun = event.start
                yield {"type": "speech.start", "start": event.start}
            elif event.kind == "emotion":
                yield {"type": "emotion", "start": event.start, "end": event.end} | _answer(event)
            elif event.kind == "speech_end":
                ended = event
        if ended is not None:
            yield self._end(ended, None)

    def _end(self, ended: StreamEvent, answer: StreamEvent | None) -> dict[str, Any]:
        said = _answer(answer) if answer else {"emotion": None, "probabilities": {}}
        return {"type": "utterance.end", "start": self._begun, "end": ended.end} | said


def _answer(event: StreamEvent) -> dict[str, Any]:
    shares = {name: round(share, 6) for name, share in event.probabilities.items()}
    return {"emotion": event.emotion, "probabilities": shares}
