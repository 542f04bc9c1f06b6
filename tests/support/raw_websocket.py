"""A WebSocket client that may break the protocol, and does not read what it receives."""

import socket as sockets
import struct
from contextlib import suppress

import numpy as np

from support.serving import Running


def handshake(service: Running, query: str) -> sockets.socket:
    """Open a stream without a library, which would read received messages."""
    host, port = service.address.removeprefix("http://").split(":")
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.connect((host, int(port)))
    raw.sendall(
        f"GET /v1/stream?{query} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return raw


def frame(content: bytes, kind: int = 2) -> bytes:
    """Return a masked WebSocket frame with a mask of zeros."""
    size = len(content)
    length = bytes([0x80 | size]) if size < 126 else struct.pack(">BH", 0xFE, size) if size < 65_536 else b""
    return bytes([0x80 | kind]) + (length or struct.pack(">BQ", 0xFF, size)) + bytes(4) + content


def send_malformed(service: Running, *, seed: int) -> None:
    """Open a stream, send three frames with some wrong bytes, and close the connection."""
    rng = np.random.default_rng(seed)
    with handshake(service, "sampling_rate=16000") as raw, suppress(OSError):  # the service may close first
        raw.settimeout(2)
        raw.recv(100)
        content = bytearray(frame(rng.bytes(int(rng.integers(0, 300))), int(rng.integers(0, 16))) * 3)
        for place in rng.integers(0, len(content), 4):
            content[place] = rng.integers(256)
        raw.sendall(bytes(content))
