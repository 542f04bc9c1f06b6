"""The messages between a worker and its decoder processes: framing, requests and reserved names.

A message is a JSON head and a binary body, each preceded by its length. Pickle is not used: a decoder process reads
files from strangers, and a process that a file has taken over must not be able to run code in the worker.

A *clip request* has the head ``{"name", "most", "damaged"}`` and the uploaded file as its body. Its reply has the head
``{"sampling_rate", "gaps", "is_cancelled"}`` and the mono float32 samples as its body. A *timeline request* has
``"most_windows"``, ``"settings"`` and ``"formats"`` in place of ``"damaged"``. Its reply has the head
``{"sizes", "duration"}`` and all documents, joined, as its body. A reply with the head ``{"error", "message"}`` names
the exception class of a failure.
"""

import asyncio
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from serkit.audio.damage import Damaged

DRAWING = "drawing"  # the timeline format that the service's own page draws, beside those of serkit.annotations
TOO_LONG = "TooLong"  # the "error" of sound that lasts longer than the request allows
TOO_MANY_WINDOWS = "TooManyWindows"  # the "error" of a timeline with more or longer windows than the request allows
_LENGTHS = struct.Struct("<IQ")
_MAX_HEAD_BYTES = 1 << 20
_MAX_BODY_BYTES = 1 << 32  # an hour of mono float32 at 192,000 Hz has less


class Message(NamedTuple):
    """One message: a JSON object and bytes."""

    head: dict[str, Any]
    body: bytes = b""


def clip_request(name: str, content: bytes, *, most: float, damaged: Damaged = "refuse") -> Message:
    """Return the request to decode a clip.

    Args:
        name: Name of the file, for error messages.
        content: Content of the file.
        most: Maximum duration, in seconds.
        damaged: Whether a damaged file is refused, or read as far as it can be heard.
    """
    return Message({"name": name, "most": most, "damaged": damaged}, content)


def timeline_request(
    name: str,
    content: bytes,
    *,
    most: float,
    most_windows: float,
    settings: Mapping[str, Any],
    formats: Sequence[str],
) -> Message:
    """Return the request to make a timeline of a recording.

    Args:
        name: Name of the file, for error messages.
        content: Content of the file.
        most: Maximum duration, in seconds.
        most_windows: Maximum duration of all windows together, in seconds.
        settings: Options of :meth:`serkit.Recognizer.timeline`.
        formats: Names of the output formats.
    """
    head = {"name": name, "most": most, "most_windows": most_windows, "settings": dict(settings)}
    return Message(head | {"formats": list(formats)}, content)


def timeline_reply(documents: Mapping[str, bytes], *, duration: float) -> Message:
    """Return the reply with a timeline.

    Args:
        documents: Format name to document.
        duration: Duration of the recording, in seconds.
    """
    sizes = {name: len(document) for name, document in documents.items()}
    return Message({"sizes": sizes, "duration": duration}, b"".join(documents.values()))


def timeline_documents(reply: Message) -> dict[str, bytes]:
    """Return the documents in a reply to a timeline request, by format name."""
    documents, start = {}, 0
    for name, size in reply.head["sizes"].items():
        documents[name] = reply.body[start : start + size]
        start += size
    return documents


def packed(message: Message) -> list[bytes]:
    """Return a message as the pieces to write to a pipe."""
    head = json.dumps(message.head).encode()
    return [_LENGTHS.pack(len(head), len(message.body)), head, message.body]


def read(file: BinaryIO) -> Message | None:
    """Read the next message from a file; return None at its end."""
    start = file.read(_LENGTHS.size)
    if len(start) < _LENGTHS.size:
        return None
    head, body = _unpack_lengths(start)
    return Message(json.loads(file.read(head)), file.read(body))


async def receive(reader: asyncio.StreamReader) -> Message:
    """Read the next message from an asynchronous stream.

    Raises:
        asyncio.IncompleteReadError: If the other process closed the pipe.
        ValueError: If the bytes are not a message.
    """
    head, body = _unpack_lengths(await reader.readexactly(_LENGTHS.size))
    return Message(json.loads(await reader.readexactly(head)), await reader.readexactly(body))


def _unpack_lengths(start: bytes) -> tuple[int, int]:
    head, body = _LENGTHS.unpack(start)
    if head > _MAX_HEAD_BYTES or body > _MAX_BODY_BYTES:
        raise ValueError(f"a message claims {head} bytes of head and {body} bytes of body.")
    return head, body
