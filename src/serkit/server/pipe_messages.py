"""Messages over a pipe: a JSON object and some bytes, each with its length before it.

Not pickles: whoever reads must not run what a process says that has been talking to strangers.
"""

import asyncio
import json
import struct
from typing import Any, BinaryIO, NamedTuple

_LENGTHS = struct.Struct("<IQ")
_LONGEST_HEAD = 1 << 20  # bytes
LONGEST_BODY = 1 << 32  # bytes; an hour of mono at 192,000 Hz has less


class Message(NamedTuple):
    """What goes over a pipe at once."""

    head: dict[str, Any]
    body: bytes = b""


def packed(message: Message) -> list[bytes]:
    """Return the pieces to write."""
    head = json.dumps(message.head).encode()
    return [_LENGTHS.pack(len(head), len(message.body)), head, message.body]


def read(file: BinaryIO) -> Message | None:
    """Read the next message; None where the other side has closed the pipe."""
    start = file.read(_LENGTHS.size)
    if len(start) < _LENGTHS.size:
        return None
    head, body = _lengths(start)
    return Message(json.loads(file.read(head)), file.read(body))


async def receive(reader: asyncio.StreamReader) -> Message:
    """Read the next message.

    Raises:
        asyncio.IncompleteReadError: If the other side has closed the pipe.
        ValueError: If it is no message.
    """
    head, body = _lengths(await reader.readexactly(_LENGTHS.size))
    return Message(json.loads(await reader.readexactly(head)), await reader.readexactly(body))


def _lengths(start: bytes) -> tuple[int, int]:
    head, body = _LENGTHS.unpack(start)
    if head > _LONGEST_HEAD or body > LONGEST_BODY:
        raise ValueError(f"a message of {head} and {body} bytes.")
    return head, body
