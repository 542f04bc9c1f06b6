"""Limits: what is counted, and what whoever goes beyond them is told."""

import asyncio
import io
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from starlette.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from serkit.server.admission import RateLimiter, Slots
from serkit.server.problems import Problem
from serkit.server.service_settings import Limits
from serkit.server.uploads import read_upload
from support.serving import Running, running_service

ATTACKER = "127.0.0.2"  # all of 127.0.0.0/8 is this machine on Linux
CLIP = (Path(__file__).parents[2] / "examples" / "loud_fast_high.wav").read_bytes()


@pytest.fixture(scope="module")
def strict(embedded: Path) -> Iterator[Running]:
    """A service that does one thing at a time and hears five seconds."""
    limits = ("--max-requests", 1, "--max-clip-seconds", 5, "--max-recording-seconds", 5, "--max-megabytes", 1)
    limits = (*limits, "--max-session-seconds", 5, "--trusted-proxy", "127.0.0.1")
    with running_service(*limits, "--rate", 5) as running:
        yield running


def silence(seconds: float, rate: int = 8_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(int(seconds * rate)), rate, format="FLAC")
    return file.getvalue()


def test_a_bucket_gives_a_burst_and_then_its_rate() -> None:
    now = 0.0
    limiter = RateLimiter(2.0, 3, clock=lambda: now)
    for _ in range(3):
        limiter.check("a")
    with pytest.raises(Problem) as refusal:
        limiter.check("a")
    assert (refusal.value.status, refusal.value.headers["Retry-After"]) == (429, "1")
    limiter.check("b")  # another client has a bucket of its own
    now = 0.5
    limiter.check("a")
    with pytest.raises(Problem):
        limiter.check("a")
    now = 1000.0
    for _ in range(3):  # never more than the burst
        limiter.check("a")
    with pytest.raises(Problem):
        limiter.check("a")


def test_clients_are_forgotten_and_not_gathered() -> None:
    limiter = RateLimiter(1.0, 1)
    for number in range(20_000):
        limiter.check(str(number))
    assert len(limiter._buckets) == 10_000


def test_slots_are_given_back_also_by_what_fails() -> None:
    seen: list[int] = []
    slots = Slots(2, "requests", seen.append)
    with slots.take("a", 2), pytest.raises(Problem) as refusal, slots.take("b"):
        raise AssertionError("a third slot")
    assert (refusal.value.status, refusal.value.headers["Retry-After"]) == (503, "2")
    with pytest.raises(ZeroDivisionError), slots.take("a"):
        raise ZeroDivisionError
    assert seen == [2, 0, 1, 0]


def test_a_client_takes_its_share_and_leaves_the_rest_to_others() -> None:
    slots = Slots(4, "requests", most_of_client=2)
    with slots.take("a"), slots.take("a"):
        with pytest.raises(Problem) as refusal, slots.take("a"):
            raise AssertionError("more than a client's share")
        assert (refusal.value.status, refusal.value.code) == (429, "too-many-at-once")
        assert refusal.value.headers["Retry-After"] == "2"
        assert refusal.value.detail == "one client may have 2 requests at once; wait until some have ended."
        with slots.take("b", 2), pytest.raises(Problem) as full:
            slots.check("c")
        assert full.value.status == 503
    with slots.take("a", 2):
        assert slots.taken == 2
    assert not slots._of_clients  # nobody is remembered without need


def test_the_share_of_a_client_is_never_nothing() -> None:
    limits = Limits(client_share=0.25)
    assert [limits.of_client(most) for most in (1, 2, 8, 64)] == [1, 1, 2, 16]
    assert Limits(client_share=1).of_client(64) == 64
    assert Limits(body_bytes=64_000_000, uploaded_bytes=64_000_000).client_bytes > 64_000_000  # one whole upload


def test_a_sound_that_lasts_too_long_is_refused_before_it_is_all_decoded(strict: Running) -> None:
    hour = silence(3600)  # a small file
    assert len(hour) < 1_000_000
    for path in ("predict", "timeline"):
        start = time.monotonic()
        answer = httpx.post(f"{strict.address}/v1/{path}", content=hour, timeout=30)
        assert time.monotonic() - start < 5
        assert (answer.status_code, answer.json()["code"]) == (422, "audio-too-long")
        assert answer.json()["accepted"] == {"most_seconds": 5}


def test_a_body_that_is_too_large_is_refused_with_or_without_a_length(strict: Running) -> None:
    large = b"x" * 3_000_000
    answers = [
        httpx.post(f"{strict.address}/v1/predict", content=large),
        httpx.post(f"{strict.address}/v1/predict", files={"file": large}),
        httpx.post(f"{strict.address}/v1/predict", content=iter([large[:600_000], large[:600_000]])),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
        assert answer.json()["accepted"] == {"most_bytes": 1_000_000}


def test_too_many_at_once_are_sent_away_with_a_time_to_come_again(strict: Running) -> None:
    host, port = strict.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as slow:  # an upload that has not ended holds the one slot
        slow.sendall(f"POST /v1/predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\nRIFF".encode())
        time.sleep(0.3)
        answer = httpx.post(f"{strict.address}/v1/predict", content=CLIP)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "2"
        assert httpx.get(f"{strict.address}/healthz").status_code == 200
    for _ in range(50):  # a client that goes gives its slot back
        answer = httpx.post(f"{strict.address}/v1/predict", content=CLIP)
        if answer.status_code == 200:
            break
        time.sleep(0.2)
    assert answer.status_code == 200


def test_a_stream_lasts_no_longer_than_it_may(strict: Running) -> None:
    with connect(f"{strict.socket_address}/v1/stream?sampling_rate=8000", compression=None) as stream:
        for _ in range(6):
            stream.send(bytes(16_000))
        events = []
        with suppress(ConnectionClosed):
            events.extend(json.loads(message) for message in stream)
        assert [event.get("code") or event.get("reason") for event in events[1:]] == ["too_long", "limit"]
        assert stream.close_code == 1008
    assert 'serkit_streams_total{reason="limit"} 1.0' in httpx.get(f"{strict.address}/metrics").text


class Sender:
    """A request whose body comes in pieces, and then nothing for a while."""

    def __init__(self, *pieces: bytes, headers: dict[str, str] | None = None) -> None:
        self._pieces = list(pieces)
        self.headers = Headers(headers or {})

    async def stream(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        await asyncio.sleep(5)


def test_a_sender_that_stalls_is_not_waited_for() -> None:
    async def read() -> None:
        limits = Limits(stall_seconds=0.05)
        async with read_upload(Sender(b"RIFF"), "a", limits, Slots(10**9, "bytes")):
            raise AssertionError("an upload that has not ended")

    with pytest.raises(Problem) as refusal:
        asyncio.run(read())
    assert (refusal.value.status, refusal.value.code) == (408, "upload-stalled")
    assert refusal.value.detail == "the upload stalled: nothing arrived for 0 s, after 0.0 kB."


def test_uploads_take_no_more_memory_together_than_they_may() -> None:
    async def read() -> None:
        room = Slots(100, "bytes")
        sender = Sender(headers={"content-length": "60"})
        with room.take("a", 60):
            async with read_upload(sender, "a", Limits(), room):
                raise AssertionError("more than there is room for")

    with pytest.raises(Problem) as refusal:
        asyncio.run(read())
    assert (refusal.value.status, refusal.value.code) == (503, "overloaded")


class Trickle(Sender):
    """A request whose body never stalls and never ends."""

    async def stream(self) -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 10
            await asyncio.sleep(0.01)


def test_a_sender_that_trickles_is_told_its_speed_and_the_one_that_is_wanted() -> None:
    async def read() -> None:
        limits = Limits(stall_seconds=0.1, slowest_rate=50_000)
        async with asyncio.timeout(2), read_upload(Trickle(), "a", limits, Slots(10**9, "bytes")):
            raise AssertionError("an upload that has not ended")

    with pytest.raises(Problem) as refusal:
        asyncio.run(read())
    assert (refusal.value.status, refusal.value.code) == (408, "upload-too-slow")
    assert "kB/s; the service accepts no less than 50 kB/s after the first 0.1 s." in refusal.value.detail


def test_a_weak_mobile_network_is_fast_enough(embedded: Path) -> None:
    """10 kB/s without a pause; the stream of bytes lasts longer than the time that is given to every upload."""

    class Weak(Sender):
        async def stream(self) -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"x" * 200
                await asyncio.sleep(0.02)

    async def read() -> int:
        async with read_upload(Weak(), "a", Limits(stall_seconds=0.1), Slots(10**9, "bytes")) as upload:
            return len(upload.content)

    assert asyncio.run(read()) == 4000


def test_what_is_only_announced_takes_no_room() -> None:
    async def read() -> None:
        room = Slots(100, "bytes")
        limits = Limits(stall_seconds=0.5)

        async def slow() -> None:
            async with read_upload(Sender(b"RIFF", headers={"content-length": "90"}), "a", limits, room):
                raise AssertionError("an upload that has not ended")

        waiting = asyncio.ensure_future(slow())
        await asyncio.sleep(0.1)
        assert room.taken == 4
        async with read_upload(Whole(b"x" * 90), "a", limits, room) as sent:
            assert (len(sent.content), room.taken) == (90, 94)
        with pytest.raises(Problem) as refusal:
            async with read_upload(Whole(*[b"x" * 30] * 4), "a", limits, room):
                raise AssertionError("more than there is room for")
        assert refusal.value.status == 503
        with pytest.raises(Problem):
            await waiting
        assert room.taken == 0

    asyncio.run(read())


class Whole(Sender):
    """A request whose body is all there."""

    async def stream(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def test_timelines_that_wait_leave_room_for_clips(service: Running) -> None:
    noise = io.BytesIO()
    soundfile.write(noise, 0.1 * np.random.default_rng(0).standard_normal(60 * 16_000), 16_000, format="WAV")
    address = f"{service.address}/v1/timeline"

    def listen() -> int:
        return httpx.post(address, content=noise.getvalue(), params={"vad": False, "hop": 0.1}, timeout=60).status_code

    with ThreadPoolExecutor(2) as threads:
        slow = [threads.submit(listen) for _ in range(2)]
        time.sleep(0.3)
        answer = httpx.post(address, content=CLIP)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert "timelines" in answer.json()["detail"]
        assert httpx.post(f"{service.address}/v1/predict", content=CLIP).status_code == 200
        assert [one.result() for one in slow] == [200, 200]


def test_an_honest_client_is_served_beside_one_that_takes_all_it_can(embedded: Path) -> None:
    """The attacker holds silent uploads and idle streams; the honest client has another address."""
    with running_service("--rate", 0) as running, ExitStack() as held:
        host, port = running.address.removeprefix("http://").split(":")
        head = f"POST /v1/predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\nRIFF".encode()
        for _ in range(80):
            held.enter_context(socket.create_connection((host, int(port)), source_address=(ATTACKER, 0))).sendall(head)
        streams = f"{running.socket_address}/v1/stream?sampling_rate=16000"
        for _ in range(16):
            held.enter_context(connect(streams, compression=None, source_address=(ATTACKER, 0)))
        with pytest.raises(InvalidStatus) as refusal, connect(streams, source_address=(ATTACKER, 0)):
            pass
        response = refusal.value.response
        assert (response.status_code, response.headers["retry-after"]) == (429, "2")
        assert json.loads(response.body)["code"] == "too-many-at-once"
        with httpx.Client(transport=httpx.HTTPTransport(local_address=ATTACKER), base_url=running.address) as attacker:
            answer = attacker.post("/v1/predict", content=CLIP)
            assert (answer.status_code, answer.json()["code"]) == (429, "too-many-at-once")
            assert "one client may have 16 uploads at once" in answer.json()["detail"]
            assert attacker.get("/v1/stream").json()["code"] == "too-many-at-once"  # for pages, which cannot see why
        with httpx.Client(base_url=running.address, timeout=30) as honest:
            for _ in range(5):
                assert honest.post("/v1/predict", content=CLIP).status_code == 200
                assert honest.post("/v1/timeline", content=CLIP).status_code == 200
        with connect(streams, compression=None) as stream:
            assert json.loads(stream.recv())["type"] == "session.created"


def test_recordings_that_are_still_sent_hold_no_timeline(service: Running) -> None:
    host, port = service.address.removeprefix("http://").split(":")
    head = f"POST /v1/timeline HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\nRIFF".encode()
    with ExitStack() as slow:
        for _ in range(2):
            slow.enter_context(socket.create_connection((host, int(port)))).sendall(head)
        time.sleep(0.3)
        assert httpx.post(f"{service.address}/v1/timeline", content=CLIP, timeout=30).status_code == 200


def test_a_sender_that_goes_away_in_the_middle_is_no_fault(service: Running) -> None:
    host, port = service.address.removeprefix("http://").split(":")
    for kind in ("audio/wav", "multipart/form-data; boundary=x"):
        with socket.create_connection((host, int(port))) as sender:
            head = f"POST /v1/predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: 99\r\n\r\n--x"
            sender.sendall(head.encode())
            time.sleep(0.2)
    end = time.monotonic() + 5
    while "serkit_queue 0.0" not in httpx.get(f"{service.address}/metrics").text:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert "Traceback" not in "".join(service.log)


def test_who_asks_too_often_waits(strict: Running) -> None:
    with ThreadPoolExecutor(8) as threads, httpx.Client(base_url=strict.address) as client:
        answers = list(threads.map(lambda _: client.get("/v1/models"), range(200)))
    late = [answer for answer in answers if answer.status_code == 429]
    assert late
    assert {answer.status_code for answer in answers} == {200, 429}
    assert late[0].json()["accepted"]["requests_a_second"] == 5
    behind = {"x-forwarded-for": "192.0.2.1"}  # another client of a proxy that is trusted
    assert httpx.get(f"{strict.address}/v1/models", headers=behind).status_code == 200
    time.sleep(int(late[0].headers["retry-after"]) + 0.2)
    assert httpx.get(f"{strict.address}/v1/models").status_code == 200
    assert httpx.get(f"{strict.address}/healthz").status_code == 200  # never counted
