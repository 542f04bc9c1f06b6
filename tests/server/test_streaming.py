"""Streams over a WebSocket: the events of the recognizer's own stream, and an end that is always explained."""

import asyncio
import itertools
import json
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

import serkit
from serkit.errors import InferenceError
from serkit.server.service import Service
from serkit.server.service_settings import Limits, Settings
from serkit.server.streaming import Session
from serkit.server.wire_protocol import EventWriter, StreamQuery
from serkit.types import StreamEvent
from support.raw_websocket import frame, handshake, send_malformed
from support.serving import TOKEN, Running, processes_below, resident_mb, running_service

EXAMPLES = Path(__file__).parents[2] / "examples"
RATE = 16_000
LONG_QUERY = "sampling_rate=1000&vad=false&hop=0.1"  # of which a message holds nine minutes


@pytest.fixture(scope="module")
def talk() -> NDArray[np.int16]:
    """Two voices with a pause between them."""
    loud, soft = (
        serkit.load_audio(EXAMPLES / f"{name}.wav", target_rate=RATE) for name in ("loud_fast_high", "soft_slow_low")
    )
    pause = np.zeros(RATE, np.float32)
    sound = np.concatenate([pause, loud, loud, pause, soft, pause])
    return (sound * 32_767).astype("<i2")


def open_stream(service: Running, query: str = "sampling_rate=16000") -> connect:
    return connect(f"{service.socket_address}/v1/stream?{query}", compression=None)


def events_of(socket: ClientConnection) -> list[dict[str, Any]]:
    """Return what is said until the end, whatever the end is."""
    found = []
    with suppress(ConnectionClosed):
        found.extend(json.loads(message) for message in socket)
    return found


def hear(service: Running, pieces: Iterable[bytes], query: str = "sampling_rate=16000") -> list[dict[str, Any]]:
    with open_stream(service, query) as socket:
        for piece in pieces:
            socket.send(piece)
        socket.send('{"type": "session.end"}')
        return events_of(socket)


def cut(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def closed(service: Running, *messages: str | bytes, query: str = "sampling_rate=16000") -> tuple[str, int, list[Any]]:
    """Send messages to a stream that does not like them; return the error's code, the close code and the events."""
    with open_stream(service, query) as socket:
        with suppress(ConnectionClosed):
            for message in messages:
                socket.send(message)
        events = events_of(socket)
        assert socket.close_code is not None
        code = socket.close_code
    assert events[-1]["type"] == "session.closed"
    (error,) = [event for event in events if event["type"] == "error"]
    assert error["message"].endswith(".")
    return error["code"], code, events


def test_events_are_those_of_the_recognizers_stream(service: Running, talk: NDArray[np.int16]) -> None:
    found = hear(service, cut(talk.tobytes(), 3200))
    stream = serkit.load(threads=1).stream(sampling_rate=RATE)
    expected = list(EventWriter()([*stream.push(talk), *stream.flush()]))
    assert found[0]["type"] == "session.created"
    assert (found[0]["classes"], found[0]["protocol"]) == (list(serkit.load().card.classes), 1)
    assert found[-1] == {
        "type": "session.closed",
        "reason": "client",
        "duration": round(len(talk) / RATE, 3),
        "remarks": [],
    }
    assert [event["type"] for event in found[1:-1]] == [event["type"] for event in expected]
    for event, wanted in zip(found[1:-1], expected, strict=True):
        assert event | {"probabilities": {}} == wanted | {"probabilities": {}}
        assert event.get("probabilities", {}) == pytest.approx(wanted.get("probabilities", {}), abs=1e-4)
    kinds = [event["type"] for event in found]
    assert kinds.count("speech.start") == kinds.count("utterance.end") == 2


def test_float_frames_and_channels_say_the_same(service: Running, talk: NDArray[np.int16]) -> None:
    floats = (talk / 32_768).astype("<f4")
    stereo = np.stack([floats, floats], axis=1).tobytes()
    plain = hear(service, cut(talk.tobytes(), 32_000))
    found = hear(service, cut(stereo, 80_000), "sampling_rate=16000&encoding=pcm_f32le&channels=2")
    said = [(event["type"], event.get("start"), event.get("emotion")) for event in plain[1:]]
    assert [(event["type"], event.get("start"), event.get("emotion")) for event in found[1:]] == said


def test_an_answer_on_an_utterance_comes_while_the_stream_goes_on(service: Running, talk: NDArray[np.int16]) -> None:
    with open_stream(service) as socket:
        for piece in cut(talk[: 7 * RATE].tobytes(), 3200):
            socket.send(piece)
        kinds = []
        while "utterance.end" not in kinds:
            event = json.loads(socket.recv(timeout=10))
            kinds.append(event["type"])
        assert event["emotion"] == max(event["probabilities"], key=event["probabilities"].get)


def test_speech_that_is_too_short_for_the_model_ends_without_an_emotion() -> None:
    begun = StreamEvent(kind="speech_start", start=1.0, end=1.0)
    ended = StreamEvent(kind="speech_end", start=1.2, end=1.2)
    again = StreamEvent(kind="speech_start", start=3.0, end=3.0)
    write = EventWriter()
    assert list(write([begun])) == [{"type": "speech.start", "start": 1.0}]
    found = list(write([ended, again]))
    assert found[0] == {"type": "utterance.end", "start": 1.0, "end": 1.2, "emotion": None, "probabilities": {}}
    assert found[1] == {"type": "speech.start", "start": 3.0}


@pytest.mark.parametrize(
    ("messages", "error", "code"),
    [
        ([b"\0\0\0"], "bad_frame", 1003),
        (["hello"], "bad_message", 1003),
        (["[" * 100_000], "bad_message", 1003),
        (['{"type": "session.update"}'], "unknown_message", 1003),
        (['["session.end"]'], "unknown_message", 1003),
    ],
)
def test_what_is_no_message_ends_the_stream_with_a_reason(
    service: Running, messages: list[str | bytes], error: str, code: int
) -> None:
    assert closed(service, *messages)[:2] == (error, code)


def test_a_file_instead_of_samples_is_named_and_nothing_of_it_is_heard(service: Running) -> None:
    whole = (EXAMPLES / "loud_fast_high.wav").read_bytes()
    error, code, events = closed(service, whole[:3200], whole[3200:6400], query="sampling_rate=16000&vad=false")
    assert (error, code) == ("bad_frame", 1003)
    assert "the stream begins with a WAV file, but raw samples are wanted" in events[-2]["message"]
    assert events[-1]["duration"] == 0
    piece = b"\x1a\x45\xdf\xa3" + bytes(97)  # of an odd length, as a browser's recorder cuts them
    error, _, events = closed(service, b"", piece)
    assert (error, events[-2]["message"][:45]) == ("bad_frame", "the stream begins with a WebM or Matroska fil")


def test_later_messages_may_begin_as_they_like(service: Running) -> None:
    found = hear(service, [bytes(3200), b"OggS" + bytes(3196)])
    assert found[-1] == {"type": "session.closed", "reason": "client", "duration": 0.2, "remarks": []}


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e10])
def test_samples_that_are_no_numbers_end_the_stream(service: Running, value: float) -> None:
    frame = np.array([0, value], "<f4").tobytes()
    assert closed(service, frame, query="sampling_rate=16000&encoding=pcm_f32le")[:2] == ("bad_frame", 1003)


@pytest.mark.parametrize(
    "query",
    [
        "", "sampling_rate=0", "sampling_rate=1e9", "sampling_rate=x", "sampling_rate=16000&encoding=mp3",
        "sampling_rate=16000&model=/etc/passwd", "sampling_rate=16000&hop=nan", "sampling_rate=16000&window=1e9",
        "sampling_rate=4000", "sampling_rate=16000&channels=0", "sampling_rate=16000&window=60&hop=0.1",
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_told_before_any_sound(service: Running, query: str) -> None:
    error, code, events = closed(service, query=query)
    assert (error, code) == ("invalid_parameter", 1008)
    assert [event["type"] for event in events] == ["error", "session.closed"]


def test_a_message_that_is_too_large_closes_the_connection(service: Running) -> None:
    head = b"\x82\xff" + struct.pack(">Q", 2_000_000) + bytes(4)
    with handshake(service, "sampling_rate=16000") as raw:  # which sends no more of it, else the answer may be lost
        raw.settimeout(10)
        raw.recv(100)  # it is open
        raw.sendall(head)
        found = b""
        while piece := raw.recv(4096):
            found += piece
        assert struct.pack(">H", 1009) in found[found.rindex(b"\x88") :]


def test_an_idle_stream_is_closed_and_told_why(service: Running, talk: NDArray[np.int16]) -> None:
    start = time.monotonic()
    error, code, events = closed(service, talk[: 4 * RATE].tobytes())
    assert (error, code) == ("idle", 1008)
    assert 2 <= time.monotonic() - start < 6  # the service of these tests waits for 2 s
    assert [event["type"] for event in events][-2:] == ["utterance.end", "session.closed"]  # what was said is answered
    assert events[-1]["reason"] == "idle"


def test_empty_frames_keep_no_stream_open(service: Running) -> None:
    with open_stream(service) as socket:
        start = time.monotonic()
        with suppress(ConnectionClosed):
            while time.monotonic() - start < 6:
                socket.send(b"")
                time.sleep(0.1)
        assert time.monotonic() - start < 5
        assert events_of(socket)[-1]["reason"] == "idle"


def test_a_client_that_leaves_ends_the_work_on_a_long_message(service: Running) -> None:
    with handshake(service, LONG_QUERY) as raw:
        raw.recv(100)  # it is open
        raw.sendall(frame(bytes(1 << 20)))
        time.sleep(0.5)
        assert "serkit_sessions 1.0" in httpx.get(f"{service.address}/metrics").text
    start = time.monotonic()
    wait_for_room(service)
    assert time.monotonic() - start < 3


class Socket:
    """A client that sends a tenth of a second every now and then."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.code = 0

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0.05)
        return {"type": "websocket.receive", "bytes": bytes(160)}

    async def send_text(self, text: str) -> None:
        self.events.append(json.loads(text))

    async def close(self, code: int, reason: str) -> None:
        self.code = code


def serve_alone(limits: Limits, *, fault: Exception | None = None) -> tuple[Service, Socket]:
    """Serve a stream without a network."""

    def fail(samples: NDArray[Any]) -> None:
        assert fault
        raise fault

    async def run() -> tuple[Service, Socket]:
        service, socket = Service(Settings(limits=limits)), Socket()
        session = Session(socket, service, StreamQuery(sampling_rate=16_000), "client")
        if fault:
            session._stream.push = fail
        await asyncio.wait_for(session.run(), 10)
        return service, socket

    return asyncio.run(run())


def test_a_stream_of_little_sound_does_not_last_for_ever(embedded: Path) -> None:
    _, socket = serve_alone(Limits(session_seconds=0.2))
    assert [event.get("code") for event in socket.events[1:]] == ["too_long", None]
    assert socket.events[-1]["duration"] < 0.1


@pytest.mark.parametrize(
    ("fault", "error"), [(InferenceError("memory."), "model_failed"), (RuntimeError("a bug"), "internal_error")]
)
def test_a_fault_of_ours_is_told_as_ours(embedded: Path, fault: Exception, error: str) -> None:
    service, socket = serve_alone(Limits(), fault=fault)
    assert socket.events[-2]["code"] == error
    assert socket.events[-1]["reason"] == "error"
    assert socket.code == 1011
    assert b'serkit_streams_total{reason="error"} 1.0' in service.metrics.render()
    assert (b'serkit_errors_total{code="internal-error"} 1.0' in service.metrics.render()) is (
        error == "internal_error"
    )


def test_one_stream_too_many_is_refused_with_a_time_to_come_again(service: Running) -> None:
    with ExitStack() as opened:
        for _ in range(4):
            opened.enter_context(open_stream(service))
        with pytest.raises(InvalidStatus) as refusal, open_stream(service):
            pass
        assert refusal.value.response.status_code == 503
        assert refusal.value.response.headers["retry-after"] == "2"
    wait_for_room(service)
    with open_stream(service) as socket:
        assert "session.created" in str(socket.recv())


def wait_for_room(service: Running) -> None:
    """Wait until the service has noticed that its clients are gone."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if "serkit_sessions 0.0" in httpx.get(f"{service.address}/metrics").text:
            return
        time.sleep(0.05)
    raise AssertionError("streams stay open")


def test_a_client_that_does_not_read_has_to_wait_and_costs_no_memory(service: Running, talk: NDArray[np.int16]) -> None:
    second = frame(talk[RATE : 2 * RATE].tobytes())
    query = "sampling_rate=16000&hop=0.1&vad=false&window=0.5"  # ten events a second
    before = sum(map(resident_mb, processes_below(service.process.pid)))
    with handshake(service, query) as raw:
        raw.settimeout(0.5)
        sent, end = 0, time.monotonic() + 20
        try:
            while time.monotonic() < end:
                sent += raw.send(second)
        except (TimeoutError, ConnectionError):  # it no longer takes anything, or has ended us
            pass
        assert time.monotonic() < end
        after = sum(map(resident_mb, processes_below(service.process.pid)))
    assert after - before < 30
    assert sent < 60_000_000


def test_malformed_frames_never_harm_the_service(service: Running) -> None:
    for number in range(120):
        send_malformed(service, seed=number)
    wait_for_room(service)
    assert hear(service, [b"\0\0"])[-1]["reason"] == "client"
    log = "".join(service.log)
    assert "Traceback" not in log, log


def test_streams_are_told_when_the_service_shuts_down(embedded: Path, talk: NDArray[np.int16]) -> None:
    with running_service() as service, open_stream(service) as socket:
        socket.send(talk[: 3 * RATE].tobytes())
        time.sleep(0.5)
        service.process.terminate()
        events = events_of(socket)
        assert events[-1]["reason"] == "shutdown"
        assert "utterance.end" in [event["type"] for event in events]
        assert socket.close_code == 1001
        assert service.process.wait(20) == 0


def test_a_stream_that_is_busy_is_told_too(embedded: Path) -> None:
    with running_service() as service, open_stream(service, LONG_QUERY) as socket:
        socket.send(bytes(1 << 20))
        time.sleep(0.5)
        service.process.terminate()
        assert events_of(socket)[-1]["reason"] == "shutdown"
        assert socket.close_code == 1001
        assert service.process.wait(5) == 0


def printed(*command: object) -> list[tuple[str, float, str]]:
    """Return what an example prints: event, start, emotion."""
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, timeout=30)
    rows = [(*line.split(), "0", "")[:3] for line in done.stdout.splitlines()]
    return [(kind, float(start), emotion) for kind, start, emotion in rows]


def test_the_example_in_python_prints_the_events(service: Running) -> None:
    script = EXAMPLES / "stream_client.py"
    assert len(script.read_text("utf-8").splitlines()) <= 42
    found = printed(sys.executable, script, EXAMPLES / "loud_fast_high.wav", service.socket_address)
    assert [kind for kind, _ in itertools.groupby(kind for kind, _, _ in found)] == [
        "session.created", "speech.start", "emotion", "utterance.end", "session.closed"
    ]  # fmt: skip
    assert found[-2][2] in (*serkit.load().card.classes, "uncertain")


def node_command() -> list[str]:
    node = shutil.which("node")
    flags = ["--experimental-websocket"]
    if not node or subprocess.run([node, *flags, "-e", "WebSocket"], check=False, capture_output=True).returncode:
        pytest.skip("needs Node 20.10 or newer, whose WebSocket is that of browsers")
    return [node, *flags, str(EXAMPLES / "stream_client.mjs")]


def test_the_example_in_javascript_prints_the_same(service: Running) -> None:
    script = EXAMPLES / "stream_client.mjs"
    assert len(script.read_text("utf-8").splitlines()) <= 42
    arguments = [EXAMPLES / "loud_fast_high.wav", service.socket_address]
    expected = printed(sys.executable, EXAMPLES / "stream_client.py", *arguments)
    assert printed(*node_command(), *arguments) == expected


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_the_examples_say_what_is_wrong(guarded: Running, tmp_path: Path, language: str) -> None:
    command = [sys.executable, EXAMPLES / "stream_client.py"] if language == "python" else node_command()
    slow, coarse = tmp_path / "slow.wav", tmp_path / "coarse.wav"
    soundfile.write(slow, np.zeros(4000), 4000, subtype="PCM_16")
    soundfile.write(coarse, np.zeros(4000), 8000, subtype="PCM_U8")

    def said(*arguments: object) -> str:
        words = [*command, *arguments]
        done = subprocess.run(list(map(str, words)), check=False, capture_output=True, text=True, timeout=30)
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    clip, address = EXAMPLES / "loud_fast_high.wav", guarded.socket_address
    assert "session.closed" in said(clip, address, TOKEN)
    assert "the service refused: this service requires a valid token.\n" in said(clip, address)
    assert "no service answers at ws://127.0.0.1:9" in said(clip, "ws://127.0.0.1:9")
    assert "error invalid_parameter " in said(slow, address, TOKEN)
    assert "has 8 bits a sample; this example sends 16." in said(coarse, address)
