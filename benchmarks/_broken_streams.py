"""Broken streams: clients of ``/v1/stream`` that break the rules of serkit, of WebSockets or of HTTP."""

import json
import socket as sockets
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from _service import Running, frame

_READ_SECONDS = 0.03
_QUERIES = (
    "", "sampling_rate=abc", "sampling_rate=nan", "sampling_rate=1e9", "sampling_rate=16000&channels=9999",
    "sampling_rate=16000&encoding=mp3", "sampling_rate=16000&window=0", "sampling_rate=16000&window=inf&hop=nan",
    "sampling_rate=16000&hop=0.01&window=30", "sampling_rate=16000&unknown=1", "sampling_rate=999", "%00=%ff",
    "sampling_rate=16000&sampling_rate=8000", "sampling_rate=16000&threshold=-1", "sampling_rate=" + "9" * 5000,
)  # fmt: skip
_TEXTS = (
    b"", b"{", b"null", b"[]", b"1", b'"session.end"', b"{}", b'{"type": 1}', b'{"type": null}', b"NaN", b"1e999",
    b'{"type": "session.update"}', b'{"type": ["session.end"]}', b'{"type": "session.end"', b"\xff\xfe", b"\xed\xa0",
    b"[" * 100_000, b'{"a":' * 50_000, b"9" * 100_000, b" " * 1_000_000, b'{"type": "session.end", "type": "x"}',
)  # fmt: skip
_UPGRADE = b"Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
_KEY = b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
_HANDSHAKES = (
    b"GET /v1/stream?sampling_rate=16000 HTTP/1.1\r\n" + _UPGRADE + b"\r\n",
    b"GET /v1/stream?sampling_rate=16000 HTTP/1.1\r\n" + _UPGRADE[:-30],
    b"GET /v1/stream?sampling_rate=16000 HTTP/1.0\r\nUpgrade: websocket\r\n\r\n",
    b"POST /v1/stream?sampling_rate=16000 HTTP/1.1\r\n" + _UPGRADE + _KEY + b"\r\n",
    b"GET /v1/stream HTTP/1.1\r\n" + _UPGRADE + b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 99\r\n\r\n",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",  # TLS
    bytes(5000),
)


def send_broken(service: Running, sounds: Mapping[str, bytes], number: int, *, seed: int) -> int:
    """Open a stream, break a rule, read what comes and leave.

    Args:
        service: Running service.
        sounds: Sound files, which a stream must not contain.
        number: Number of the stream, which selects the rule.
        seed: Seed of everything else.

    Returns:
        HTTP status of the response to the handshake; 0 if there was none.
    """
    rng = np.random.default_rng((seed, number))
    kind = (*_BREAKS, "query", "handshake")[number % (len(_BREAKS) + 2)]
    query = "sampling_rate=16000" + ("&encoding=pcm_f32le" if rng.integers(2) else "")
    content = _BREAKS[kind](rng, sounds) if kind in _BREAKS else frame(bytes(640))
    if kind == "handshake":
        request, content = _HANDSHAKES[int(rng.integers(len(_HANDSHAKES)))], b""
    else:
        request = _request(_QUERIES[int(rng.integers(len(_QUERIES)))] if kind == "query" else query)
    status = 0
    host, port = service.address.removeprefix("http://").split(":")
    with sockets.create_connection((host, int(port)), timeout=20) as raw, suppress(OSError):
        raw.sendall(request)
        if kind == "handshake":
            raw.settimeout(_READ_SECONDS)
        status = _status(raw.recv(4096))
        raw.sendall(content)
        raw.settimeout(_READ_SECONDS)
        while raw.recv(1 << 16):
            pass
    return status


def honest_stream(service: Running, samples: NDArray[np.float32]) -> str:
    """Send a stream of speech by the rules, and return why it ended; nothing if it did not end well."""
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    try:
        with connect(f"{service.socket_address}/v1/stream?sampling_rate=16000", proxy=None) as socket:
            socket.send((samples * 32_767).astype("<i2").tobytes())
            socket.send(json.dumps({"type": "session.end"}))
            events = [json.loads(text) for text in socket]
    except (OSError, WebSocketException):
        return ""
    return str(events[-1].get("reason")) if events else ""


def _request(query: str) -> bytes:
    return f"GET /v1/stream?{query} HTTP/1.1\r\n".encode() + _UPGRADE + _KEY + b"\r\n"


def _status(answer: bytes) -> int:
    words = answer.split(None, 2)
    return int(words[1]) if len(words) > 1 and words[0].startswith(b"HTTP/") and words[1].isdigit() else 0


Sounds = Mapping[str, bytes]


def _wrong_text(rng: np.random.Generator, sounds: Sounds) -> bytes:
    return frame(_TEXTS[int(rng.integers(len(_TEXTS)))], kind=1)


def _wrong_size(rng: np.random.Generator, sounds: Sounds) -> bytes:
    return b"".join(frame(rng.bytes(2 * int(rng.integers(0, 2000)) + 1)) for _ in range(3))


def _wrong_numbers(rng: np.random.Generator, sounds: Sounds) -> bytes:
    values = np.array([np.nan, np.inf, -np.inf, 1e30, -3e38, 1e-45, 5], "<f4")
    return frame(rng.choice(values, 400).tobytes()) + frame(bytes(640))


def _noise(rng: np.random.Generator, sounds: Sounds) -> bytes:
    return b"".join(frame(rng.bytes(4 * int(rng.integers(0, 5000)))) for _ in range(4))


def _container(rng: np.random.Generator, sounds: Sounds) -> bytes:
    names = sorted(sounds)
    return frame(sounds[names[int(rng.integers(len(names)))]][:500_000])


def _too_long(rng: np.random.Generator, sounds: Sounds) -> bytes:
    return frame(bytes((1 << 20) + 4 * int(rng.integers(1, 9))))


def _claimed_length(rng: np.random.Generator, sounds: Sounds) -> bytes:
    claimed = int(rng.choice(np.array([1 << 31, 1 << 40, (1 << 63) - 1, (1 << 64) - 1], np.uint64)))
    return b"\x82\xff" + struct.pack(">Q", claimed) + rng.bytes(500)


def _opcode(rng: np.random.Generator, sounds: Sounds) -> bytes:
    return frame(rng.bytes(int(rng.integers(0, 300))), kind=int(rng.choice([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])))


def _reserved_bits(rng: np.random.Generator, sounds: Sounds) -> bytes:
    content = bytearray(frame(rng.bytes(200)))
    content[0] |= int(rng.choice([0x10, 0x20, 0x40, 0x70]))
    return bytes(content)


def _unmasked(rng: np.random.Generator, sounds: Sounds) -> bytes:
    return b"\x82\x40" + rng.bytes(64)


def _cut(rng: np.random.Generator, sounds: Sounds) -> bytes:
    content = frame(bytes(640)) * 2 + frame(rng.bytes(5000))
    return content[: int(rng.integers(1, len(content)))]


def _pieces(rng: np.random.Generator, sounds: Sounds) -> bytes:
    """Return fragments without a first one, a second first one, or thousands of empty ones without a last."""
    first, more = bytes([0x02]) + frame(b"\0\0")[1:], bytes([0x00]) + frame(b"")[1:]
    return (frame(b"\0\0", kind=0), first * 2, first + more * 5000)[int(rng.integers(3))]


def _control(rng: np.random.Generator, sounds: Sounds) -> bytes:
    """Return pings and closes that are too long, in pieces, too many, or with a wrong code."""
    choices = (
        frame(bytes(126), kind=9), b"\x09\x80" + bytes(4), frame(b"", kind=9) * 3000, frame(b"\1", kind=8),
        frame(struct.pack(">H", 999), kind=8), frame(b"\3\xe8\xff\xff", kind=8), frame(b"", kind=10) * 3000,
    )  # fmt: skip
    return choices[int(rng.integers(len(choices)))]


def _bytes_flipped(rng: np.random.Generator, sounds: Sounds) -> bytes:
    content = bytearray(frame(rng.bytes(int(rng.integers(0, 300))), int(rng.integers(0, 16))) * 3)
    for place in rng.integers(0, len(content), 4):
        content[place] = rng.integers(256)
    return bytes(content)


def _after_the_end(rng: np.random.Generator, sounds: Sounds) -> bytes:
    return frame(b'{"type": "session.end"}', kind=1) * 3 + frame(bytes(3200)) * 20


_BREAKS: dict[str, Callable[[np.random.Generator, Sounds], bytes]] = {
    function.__name__: function
    for function in (
        _wrong_text, _wrong_size, _wrong_numbers, _noise, _container, _too_long, _claimed_length, _opcode,
        _reserved_bits, _unmasked, _cut, _pieces, _control, _bytes_flipped, _after_the_end,
    )
}  # fmt: skip
