"""Claims: 32 clients at once get at least half the throughput of `predict_many`, and 50 live streams keep up.

The service has one worker and its defaults, without the limits on one client. The load comes from a second process on
the same cores, over loopback, and each client has a connection of its own. The baseline runs in this process before the
service starts. It reads the same 3 s clip from a file again and again, on one thread or on all, whichever is faster. A
request fails with any status but 200, a stream by an unexpected end, and no prediction may be missing. The delay of a
prediction starts when the last sample of its window is due. ``SERKIT_BENCH_SECONDS`` sets the duration (60 s for
requests, half of it for streams).
"""

import asyncio
import http.client
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from itertools import repeat
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import soundfile

import serkit
from _service import Running, running_service
from _verdict import SAMPLING_RATE, SECONDS, at_least, at_most, detail, speech_clip

LENGTH = float(os.environ.get("SERKIT_BENCH_SECONDS", "60"))
CLIENTS = 32
STREAMS = 50
GOAL_THROUGHPUT = 0.5
PIECE = 0.1  # seconds of sound per message of a stream
HOP = 1.0
_BASELINE_SECONDS = 5.0


def wav() -> bytes:
    """Return the clip as a WAV file."""
    file = io.BytesIO()
    soundfile.write(file, speech_clip(), SAMPLING_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def in_process(path: Path) -> float:
    """Return the clips per second of `predict_many`, on one thread or on all, whichever is faster."""
    rates = []
    for threads in (None, 1):
        answers = serkit.load(threads=threads).predict_many(repeat(path))
        for _ in range(20):
            next(answers)
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < _BASELINE_SECONDS:
            next(answers)
            count += 1
        rates.append(count / (time.perf_counter() - start))
        detail(f"predict_many, {threads or 'all'} thread(s): {rates[-1]:.0f} clips/s")
    return max(rates)


def load_requests(address: str, seconds: float) -> dict[str, object]:
    """Send the clip from 32 threads until the time is over; return latencies and failures."""
    host = urlsplit(address).netloc
    boundary = "serkit-load"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="clip.wav"\r\n\r\n'.encode()
        + wav()
        + f"\r\n--{boundary}--\r\n".encode()
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    latencies: list[float] = []
    failures: list[str] = []
    end = time.monotonic() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection(host, timeout=30)
        while time.monotonic() < end:
            start = time.perf_counter()
            try:
                connection.request("POST", "/v1/predict", body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    failures.append(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
                connection.close()
            latencies.append(time.perf_counter() - start)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"latencies": latencies, "failures": failures}


async def load_streams(address: str, seconds: float) -> dict[str, object]:
    """Send sound to 50 streams in real time; return the delay of each prediction, and failures."""
    from websockets.asyncio.client import connect

    sound = (np.resize(speech_clip(), int(seconds * SAMPLING_RATE)) * 32_767).astype("<i2")
    size = int(PIECE * SAMPLING_RATE)
    latencies: list[float] = []
    failures: list[str] = []

    async def speak(number: int) -> None:
        await asyncio.sleep(number / STREAMS)  # streams do not start at the same instant
        url = f"{address.replace('http', 'ws')}/v1/stream?sampling_rate={SAMPLING_RATE}&vad=false&hop={HOP}"
        async with connect(url, compression=None) as socket:
            begun = time.monotonic()

            async def hear() -> str:
                async for message in socket:
                    event = json.loads(message)
                    if event["type"] == "emotion" and event["end"] <= seconds - PIECE:
                        latencies.append(time.monotonic() - begun - event["end"])
                    if event["type"] == "session.closed":
                        return str(event["reason"])
                return "lost"

            hearing = asyncio.create_task(hear())
            for place in range(0, len(sound), size):
                await asyncio.sleep(max(0.0, begun + (place + size) / SAMPLING_RATE - time.monotonic()))
                await socket.send(sound[place : place + size].tobytes())
            await socket.send('{"type": "session.end"}')
            if (reason := await hearing) != "client":
                failures.append(reason)

    results = await asyncio.gather(*(speak(number) for number in range(STREAMS)), return_exceptions=True)
    failures += [repr(result) for result in results if result is not None]
    return {"latencies": latencies, "failures": failures}


def from_another_process(kind: str, service: Running, seconds: float) -> tuple[np.ndarray, list[str]]:
    """Run one of the two loads in a process of its own; return its latencies in seconds, and failures."""
    command = [sys.executable, __file__, kind, service.address, str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    latencies = np.array(found["latencies"])
    middle, late = np.percentile(latencies, [50, 99]) * 1000
    detail(f"{kind}: {len(latencies)} answers, median {middle:.0f} ms, 99th percentile {late:.0f} ms")
    if found["failures"]:
        detail(f"{kind}: {len(found['failures'])} failures, such as {found['failures'][:3]}")
    return latencies, found["failures"]


def main() -> int:
    """Run both loads; return the exit code."""
    if len(sys.argv) > 1:
        kind, address, seconds = sys.argv[1:]
        action = load_requests if kind == "requests" else lambda *given: asyncio.run(load_streams(*given))
        print(json.dumps(action(address, float(seconds))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.wav"
        path.write_bytes(wav())
        baseline = in_process(path)
    with running_service("--rate", 0, "--client-share", 1) as service:
        latencies, failures = from_another_process("requests", service, LENGTH)
        rate = len(latencies) / LENGTH
        late, stream_failures = from_another_process("streams", service, LENGTH / 2)
        expected = STREAMS * (int((LENGTH / 2 - PIECE - SECONDS) / HOP) + 1)
    detail(f"{rate:.0f} requests/s from {CLIENTS} clients; {len(late)} of {expected} answers on {STREAMS} streams")
    return (
        at_least("throughput against predict_many", rate / baseline, GOAL_THROUGHPUT)
        | at_most("failed requests", len(failures), 0)
        | at_most("failed streams", len(stream_failures), 0)
        | at_least("answers on streams", len(late) / expected, 1.0)
        | at_most("99th percentile of a live answer's delay, of the hop", float(np.percentile(late, 99)) / HOP, 1.0)
    )


if __name__ == "__main__":
    raise SystemExit(main())
