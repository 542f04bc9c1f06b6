"""A client that keeps the event loop busy waits, and others are served."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import serkit
from serkit.server.loop_share import LoopShare
from support.serving import running_service

CLIP = (Path(__file__).parents[2] / "examples" / "loud_fast_high.wav").read_bytes()
EXPECTED = serkit.load().predict(CLIP).emotion

# Eight connections of another address, in a process of their own, that send bytes as fast as the service takes them.
_FLOOD = """
import socket, sys, threading
port, start, piece = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])

def read(sender):
    while sender.recv(1 << 20):
        pass

def flood():
    sender = socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0))
    sender.sendall(start)
    if b"Upgrade" in start:
        sender.recv(1000)  # a frame before the answer would be lost
    threading.Thread(target=read, args=(sender,), daemon=True).start()
    while True:
        sender.sendall(piece * 1000)

for _ in range(8):
    threading.Thread(target=flood).start()
"""
CHUNKED = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADE = (
    b"GET /v1/stream?sampling_rate=16000 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def test_a_client_that_took_its_burst_waits_until_its_share_makes_up_for_it() -> None:
    now = 0.0
    share = LoopShare(0.25, clock=lambda: now)
    share.add("a", 0.2)
    assert share.wait_of("a") == 0
    share.add("a", 0.3)
    assert share.wait_of("a") == pytest.approx(1.0)  # 0.25 s too much, at 0.25 s per second
    assert share.wait_of("b") == 0
    now = 1.0
    assert share.wait_of("a") == 0
    now = 100.0
    share.add("a", 0.25)  # what was not used is not saved up
    assert share.wait_of("a") == 0
    share.add("a", 0.25)
    assert share.wait_of("a") == pytest.approx(1.0)


def test_work_is_counted_by_cpu_time() -> None:
    cpu = iter([1.0, 3.0])
    share = LoopShare(0.5, clock=lambda: 0.0, cpu_clock=lambda: next(cpu))
    with pytest.raises(ZeroDivisionError), share.count("a"):
        raise ZeroDivisionError
    assert share.wait_of("a") == pytest.approx(3.5)


def test_a_proxy_never_waits_and_the_whole_loop_is_no_limit() -> None:
    share, free = LoopShare(0.25, clock=lambda: 0.0), LoopShare(1.0, clock=lambda: 0.0)
    share.add("", 100)
    free.add("a", 100)
    assert share.wait_of("") == free.wait_of("a") == 0


def test_clients_of_the_loop_are_forgotten() -> None:
    share = LoopShare(0.25, clock=lambda: 0.0)
    for number in range(12_000):
        share.add(str(number), 1)
    assert len(share._clients) == 10_000


@pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is this machine on Linux alone")
@pytest.mark.parametrize(
    ("start", "piece"),
    [
        pytest.param(CHUNKED, b"1\r\nx\r\n", id="chunks of a byte"),
        pytest.param(b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", id="requests in a row"),
        pytest.param(UPGRADE, b"\x89\x81\0\0\0\0x", id="pings"),
    ],
)
def test_a_flood_of_one_client_delays_others_little(embedded: Path, start: bytes, piece: bytes) -> None:
    with running_service("--rate", 0) as service:
        port = service.address.rpartition(":")[2]
        flood = subprocess.Popen(
            [sys.executable, "-c", _FLOOD, port, start.hex(), piece.hex()], stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(2)
            with httpx.Client(base_url=service.address, timeout=20) as client:
                begun = time.monotonic()
                for _ in range(5):
                    assert client.post("/v1/predict", content=CLIP).status_code == 200
            assert time.monotonic() - begun < 8  # without the limit, one request takes 10 to 20 s
        finally:
            flood.kill()
            flood.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is this machine on Linux alone")
def test_streams_of_one_client_at_full_speed_delay_others_little(embedded: Path) -> None:
    """Sixteen streams whose sound runs through the model thirty times."""
    query = UPGRADE.replace(b"sampling_rate=16000", b"sampling_rate=16000&vad=false&hop=2&window=60")
    second = b"\x82\xfe\x7d\x00\0\0\0\0" + bytes(32_000)
    with running_service("--rate", 0) as service:
        port = service.address.rpartition(":")[2]
        program = _FLOOD.replace("range(8)", "range(16)").replace("piece * 1000", "piece")
        flood = subprocess.Popen(
            [sys.executable, "-c", program, port, query.hex(), second.hex()], stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(3)
            assert "serkit_sessions 16.0" in httpx.get(f"{service.address}/metrics", timeout=20).text
            with httpx.Client(base_url=service.address, timeout=20) as client:
                begun = time.monotonic()
                for _ in range(5):
                    assert client.post("/v1/predict", content=CLIP).status_code == 200
            assert time.monotonic() - begun < 4  # without the limit, one request takes 2 s
        finally:
            flood.kill()
            flood.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is this machine on Linux alone")
def test_who_has_to_wait_loses_nothing(embedded: Path) -> None:
    """A thousand requests in a row on one connection are more than a burst; all are answered, in the end."""
    with running_service("--rate", 0) as service:
        host, port = service.address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as sender:
            request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
            begun = time.monotonic()
            sender.sendall(request * 999 + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            found = b""
            while piece := sender.recv(65_536):
                found += piece
        assert found.count(b"HTTP/1.1 200") == 1000
        assert time.monotonic() - begun > 2
        whole = httpx.post(f"{service.address}/v1/predict", content=CLIP, timeout=20)
        assert whole.json()["emotion"] == EXPECTED
