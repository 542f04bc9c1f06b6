"""Claim: beside a client that attacks in nine ways at once, 95 % of the requests of honest clients are answered.

The service has its defaults, and may open no more than 1024 files, as on many systems. The attacker has one address
and a process for each attack: silent uploads, idle streams, 1100 idle connections, request heads that never end,
timelines with the finest hop, files on the stream of samples, streams at full speed, chunks of one byte, and pings. The
honest clients, 25 of them, each have an address of their own. They send clips and recordings, or open a stream for
three seconds, and then wait for a second. A request counts as answered if it gets its prediction within 30 s. One more
honest client shares the attacker's address; it is reported, and has no goal. ``SERKIT_BENCH_SECONDS`` sets the duration
(60 s). Linux only, where all of 127.0.0.0/8 is this machine.
"""

import base64
import http.client
import io
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import soundfile
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

from _service import Running, processes_below, resident_mb, running_service
from _verdict import SAMPLING_RATE, at_least, at_most, detail, speech_clip

LENGTH = float(os.environ.get("SERKIT_BENCH_SECONDS", "60"))
ATTACKER = "127.0.0.2"
HONEST = 25
OPEN_FILES = 1024
PATIENCE = 30.0  # seconds
GOAL_ANSWERED = 0.95
LIMIT_LOG_KB = 100.0
LIMIT_MEMORY_MB = 1000.0
_KINDS = ("predict", "predict", "predict", "timeline", "stream")
_EBML = base64.b64decode("GkXfo59ChoEBQveBAULygQRC84EIQoKEd2VibUKHgQRChYEC")  # the head of a WebM file
_UPGRADE = (
    "GET /v1/stream?sampling_rate=16000 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_FINE_UPGRADE = _UPGRADE.replace("16000 ", "16000&vad=false&hop=2&window=60 ")
_POST = "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n"


def sound(seconds: float, form: str) -> bytes:
    """Return speech as a file."""
    file = io.BytesIO()
    soundfile.write(file, np.resize(speech_clip(), int(seconds * SAMPLING_RATE)), SAMPLING_RATE, format=form)
    return file.getvalue()


def hold(address: str, count: int, first: bytes, *, more: bytes = b"", every: float = 1.0) -> None:
    """Keep connections open that send something first, and perhaps some more now and then; replace closed ones."""
    place, held = (str(urlsplit(address).hostname), int(urlsplit(address).port or 80)), set[socket.socket]()
    while True:
        for one in tuple(held):
            try:
                one.sendall(more)
                while one.recv(65_536):
                    pass
                one.close()
                held.discard(one)
            except BlockingIOError:
                pass
            except OSError:
                one.close()
                held.discard(one)
        with suppress(OSError):
            while len(held) < count:
                one = socket.create_connection(place, timeout=5, source_address=(ATTACKER, 0))
                one.sendall(first)
                one.setblocking(False)
                held.add(one)
        time.sleep(every)


def flood(address: str, first: bytes, piece: bytes, *, count: int = 4) -> None:
    """Send pieces as fast as the service takes them, on several connections."""
    place = (str(urlsplit(address).hostname), int(urlsplit(address).port or 80))

    def send() -> None:
        while True:
            with suppress(OSError), socket.create_connection(place, source_address=(ATTACKER, 0)) as one:
                one.sendall(first)
                if b"Upgrade" in first:
                    one.recv(1000)  # a frame before the answer would be lost
                threading.Thread(target=drain, args=(one,), daemon=True).start()
                while True:
                    one.sendall(piece * (1 + 32_000 // len(piece)))

    def drain(one: socket.socket) -> None:
        with suppress(OSError):
            while one.recv(1 << 20):
                pass

    in_threads([send] * count)


def send_timelines(address: str) -> None:
    """Send recordings with the finest hop: one that is too much, and one that is just little enough."""
    bodies = (sound(900, "OGG"), sound(700, "OGG"))

    def send() -> None:
        for number in range(10**9):
            with suppress(OSError, http.client.HTTPException):
                ask(address, ATTACKER, "/v1/timeline?hop=0.1&vad=false", bodies[number % 2], timeout=300)
            time.sleep(0.2)

    in_threads([send] * 4)


def send_files_as_samples(address: str) -> None:
    """Send the beginning of a WebM file as a stream of samples."""

    def send() -> None:
        while True:
            with suppress(OSError, WebSocketException):
                listen(address, ATTACKER, [_EBML + bytes(3000)] * 10)
            time.sleep(0.5)

    in_threads([send] * 4)


ATTACKS: dict[str, Callable[[str], None]] = {
    "fast streams": lambda at: flood(at, _FINE_UPGRADE.encode(), b"\x82\xfe\x7d\0\0\0\0\0" + bytes(32_000), count=8),
    "silent uploads": lambda at: hold(at, 64, f"{_POST}Content-Length: 100000\r\n\r\nRIFF".encode()),
    "idle streams": lambda at: hold(at, 64, _UPGRADE.encode()),
    "connections": lambda at: hold(at, 1100, b""),
    "endless heads": lambda at: hold(at, 64, _POST.encode(), more=b"X-Y: z\r\n"),
    "fine timelines": send_timelines,
    "files as samples": send_files_as_samples,
    "chunks": lambda at: flood(at, f"{_POST}Transfer-Encoding: chunked\r\n\r\n".encode(), b"1\r\nx\r\n"),
    "pings": lambda at: flood(at, _UPGRADE.encode(), b"\x89\x81\0\0\0\0x"),
}


def in_threads(actions: list[Callable[[], None]]) -> None:
    """Run functions at once, and wait for all."""
    threads = [threading.Thread(target=action, daemon=True) for action in actions]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def ask(address: str, source: str, path: str, body: bytes, *, timeout: float = PATIENCE) -> int:
    """Send a file from an address; return the status."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=timeout, source_address=(source, 0))
    try:
        connection.request("POST", path, body)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def listen(address: str, source: str, pieces: list[bytes]) -> str:
    """Send sound to a stream in real time from an address; return the reason of its end."""
    url = f"{address.replace('http', 'ws')}/v1/stream?sampling_rate={SAMPLING_RATE}"
    timeouts = {"open_timeout": PATIENCE, "close_timeout": PATIENCE}
    with connect(url, compression=None, source_address=(source, 0), **timeouts) as stream:
        for piece in pieces:
            stream.send(piece)
            time.sleep(len(piece) / 2 / SAMPLING_RATE)
        stream.send('{"type": "session.end"}')
        return str([json.loads(message) for message in stream][-1]["reason"])


def outcome_of(address: str, source: str, kind: str, clip: bytes, pieces: list[bytes]) -> str:
    """Return what became of one honest request."""
    try:
        if kind != "stream":
            status = ask(address, source, f"/v1/{kind}", clip)
            return "answered" if status == 200 else str(status)
        reason = listen(address, source, pieces)
        return "answered" if reason == "client" else reason
    except InvalidStatus as refusal:
        return str(refusal.response.status_code)
    except (OSError, http.client.HTTPException, WebSocketException) as error:
        return type(error).__name__


def behave(address: str, seconds: float) -> dict[str, Any]:
    """Be all honest clients; return outcomes and times, and the outcomes of the one at the attacker's address."""
    clip, samples = sound(3, "WAV"), (speech_clip() * 32_767).astype("<i2").tobytes()
    pieces = [samples[start : start + 3200] for start in range(0, len(samples), 3200)]
    own, shared, times = Counter[str](), Counter[str](), list[float]()
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        source = f"127.0.1.{number + 1}" if number < HONEST else ATTACKER
        turn = number
        while time.monotonic() < end:
            kind, start = _KINDS[turn % len(_KINDS)], time.monotonic()
            found = outcome_of(address, source, kind, clip, pieces)
            if number < HONEST:
                own[f"{kind} {found}"] += 1
                if kind != "stream":
                    times.append(time.monotonic() - start)
            else:
                shared[found] += 1
            turn += 1
            time.sleep(1)

    in_threads([lambda number=number: client(number) for number in range(HONEST + 1)])  # type: ignore[misc]
    return {"own": own, "shared": shared, "times": times}


def watch_memory(service: Running, peak: list[float]) -> None:
    """Note the largest sum of the service's resident memory, in MB."""
    while service.process.poll() is None:
        with suppress(OSError):
            peak[0] = max(peak[0], sum(map(resident_mb, processes_below(service.process.pid))))
        time.sleep(0.5)


def run(kind: str, *arguments: object) -> subprocess.Popen[str]:
    """Start this script as a process that attacks, or is honest."""
    command = [sys.executable, __file__, kind, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def main() -> int:
    """Attack the service beside honest clients; return the exit code."""
    if len(sys.argv) > 1:
        kind, address, *seconds = sys.argv[1:]
        if kind == "honest":
            print(json.dumps(behave(address, float(seconds[0]))))
        else:
            ATTACKS[kind](address)
        return 0
    peak = [0.0]
    with running_service() as service:
        for process in processes_below(service.process.pid):
            resource.prlimit(process, resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
        threading.Thread(target=watch_memory, args=(service, peak), daemon=True).start()
        attackers = [run(kind, service.address) for kind in ATTACKS]
        time.sleep(3)
        try:
            found = json.loads(run("honest", service.address, LENGTH).communicate()[0])
        finally:
            for one in attackers:
                one.kill()
                one.wait()
        log_kb = sum(map(len, service.log)) / 1e3
    own = Counter(found["own"])
    answered = sum(count for name, count in own.items() if name.endswith("answered"))
    of_server = sum(count for name, count in own.items() if name.rpartition(" ")[2].startswith("5"))
    middle, late = np.percentile(found["times"], [50, 95])
    detail(f"honest clients: {dict(sorted(own.items()))}; {of_server} answers of 5xx")
    detail(f"clips and recordings: median {middle:.1f} s, 95th percentile {late:.1f} s")
    detail(f"an honest client at the attacker's address: {found['shared']}")
    detail(f"log {log_kb:.1f} kB; peak resident memory of all processes {peak[0]:.0f} MB")
    return (
        at_least("answered requests of honest clients beside attacks", answered / max(1, own.total()), GOAL_ANSWERED)
        | at_most("log beside attacks, of 100 kB", log_kb / LIMIT_LOG_KB, 1.0)
        | at_most("memory beside attacks, of 1 GB", peak[0] / LIMIT_MEMORY_MB, 1.0)
    )


if __name__ == "__main__":
    raise SystemExit(main())
