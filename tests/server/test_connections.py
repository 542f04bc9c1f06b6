"""Connections: how many one client may have, and how long it may be silent."""

import json
import resource
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from support.raw_websocket import frame, handshake
from support.serving import Running, processes_below, resident_mb, running_service

ATTACKER = "127.0.0.2"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is this machine on Linux alone")


@pytest.fixture(scope="module")
def narrow(embedded: Path) -> Iterator[Running]:
    """A service with 40 connections, ten for each client."""
    with running_service("--max-connections", 40, "--rate", 0, "--trusted-proxy", "127.0.0.9") as running:
        yield running


def call(service: Running, source: str = "127.0.0.1") -> socket.socket:
    host, port = service.address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20, source_address=(source, 0))


def all_of(sender: socket.socket) -> bytes:
    """Return what is received until the connection is closed."""
    found = b""
    with suppress(ConnectionError):
        while piece := sender.recv(4096):
            found += piece
    return found


def test_a_client_with_too_many_connections_is_told_so_and_others_come_in(narrow: Running) -> None:
    with ExitStack() as held:
        for _ in range(10):
            held.enter_context(call(narrow, ATTACKER))
        time.sleep(0.2)
        for _ in range(60):  # more than all together
            with call(narrow, ATTACKER) as sender:
                head, _, body = all_of(sender).partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
                assert b"\r\nRetry-After: 2\r\n" in head
                assert json.loads(body)["detail"].startswith("one client may have 10 connections at once; ")
        assert httpx.get(f"{narrow.address}/readyz").status_code == 200
    time.sleep(0.2)
    with call(narrow, ATTACKER) as sender:
        sender.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert sender.recv(20).startswith(b"HTTP/1.1 200")


def test_clients_that_go_before_they_are_refused_are_no_fault(narrow: Running) -> None:
    with ExitStack() as held:
        for _ in range(10):
            held.enter_context(call(narrow, ATTACKER))
        for _ in range(200):
            with call(narrow, ATTACKER) as sender:  # closed with a reset
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.5)
    assert httpx.get(f"{narrow.address}/healthz").status_code == 200
    assert "Traceback" not in "".join(narrow.log)
    refusals = [line for line in narrow.log if "a connection was refused: its client has 10" in line]
    assert len(refusals) == 1  # at most one a minute


def test_a_trusted_proxy_may_have_all_connections_and_the_service_no_more(narrow: Running) -> None:
    with ExitStack() as held:
        for _ in range(40):
            held.enter_context(call(narrow, "127.0.0.9"))
        time.sleep(0.2)
        with call(narrow) as sender:
            head, _, body = all_of(sender).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503")
            assert json.loads(body)["code"] == "overloaded"
    time.sleep(0.2)
    assert httpx.get(f"{narrow.address}/healthz").status_code == 200


def test_streams_count_as_connections_until_they_are_closed(narrow: Running) -> None:
    for _ in range(25):  # one after the other
        with handshake(narrow, "sampling_rate=16000") as raw:
            assert raw.recv(100).startswith(b"HTTP/1.1 101")
    time.sleep(0.2)
    assert httpx.get(f"{narrow.address}/healthz").status_code == 200


def test_the_head_of_a_request_has_to_come_in_time(narrow: Running) -> None:
    with call(narrow) as silent, call(narrow) as slow:
        start = time.monotonic()
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        slow.settimeout(1)
        answer = b""
        while not answer and time.monotonic() - start < 25:
            with suppress(ConnectionError):
                slow.sendall(b"X: y\r\n")  # never an end
            with suppress(TimeoutError):
                answer = slow.recv(4096)
        assert 14 < time.monotonic() - start < 18
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"no complete request arrived within 15 s." in answer
        assert all_of(silent) == b""  # a browser opens connections in advance, and would be puzzled by an answer


def test_a_refused_body_that_never_ends_is_not_read_for_ever(narrow: Running) -> None:
    with call(narrow) as sender:
        sender.sendall(b"POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n")
        assert sender.recv(100).startswith(b"HTTP/1.1 404")
        start = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - start < 25:
                sender.sendall(b"x")
                time.sleep(0.2)
        assert time.monotonic() - start < 18


def test_a_connection_that_is_used_stays_open(narrow: Running) -> None:
    with httpx.Client(base_url=narrow.address) as client:
        assert [client.get("/healthz").status_code for _ in range(30)] == [200] * 30  # ten connections at most


def fragment(content: bytes, *, is_first: bool) -> bytes:
    return bytes([0x02 if is_first else 0x00, 0x80 | len(content)]) + bytes(4) + content


def test_a_message_in_very_many_frames_is_refused(narrow: Running) -> None:
    with handshake(narrow, "sampling_rate=16000") as raw:
        raw.settimeout(10)
        raw.recv(100)
        raw.sendall(fragment(b"", is_first=True) + fragment(b"", is_first=False) * 2000)
        found = all_of(raw)
        assert struct.pack(">H", 1009) in found[found.rindex(b"\x88") :]


def test_pongs_that_nobody_reads_are_not_gathered(narrow: Running) -> None:
    before = sum(map(resident_mb, processes_below(narrow.process.pid)))
    pings = frame(b"x" * 100, 9) * 1000
    with handshake(narrow, "sampling_rate=16000") as raw:
        raw.settimeout(2)
        start = time.monotonic()
        with suppress(OSError):  # it is ended, or takes no more
            while time.monotonic() - start < 15:
                raw.sendall(pings)
        assert time.monotonic() - start < 15
    assert sum(map(resident_mb, processes_below(narrow.process.pid))) - before < 20


def test_a_service_asks_for_the_open_files_that_it_needs(embedded: Path) -> None:
    program = (
        "import resource, sys; from serkit.server.connections import raise_file_limit; "
        "from serkit.server.connections import Door; from serkit.server.service_settings import Limits, Settings; "
        "raise_file_limit(1024); print(resource.getrlimit(resource.RLIMIT_NOFILE)[0]); "
        "print(Door(Settings(limits=Limits(connections=1024))).most)"
    )

    def run(soft: int, hard: int) -> list[int]:
        done = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
        )  # fmt: skip
        return [int(line) for line in done.stdout.split()]

    assert run(1024, 4096) == [1536, 1024]
    assert run(1024, 1024) == [1024, 512]  # fewer connections, where the system allows no more files
    assert run(4096, 4096) == [4096, 1024]
