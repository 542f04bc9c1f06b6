"""Processes that read strangers' files: what ends them, and that another takes their place."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from serkit.server import decoder_pool
from serkit.server.decoder_messages import Message, timeline_request
from serkit.server.decoder_pool import DecoderCrashError, DecoderPool, DecoderStartError, DecoderTimeoutError
from serkit.server.problems import Problem
from serkit.server.service import Service
from serkit.server.service_settings import Settings
from serkit.server.uploads import UploadedFile
from support import bare
from support.serving import processes_below

CLIP = Path(__file__).parents[2] / "examples" / "stereo_44100.flac"
HEAD = {"sampling_rate": 44_100, "gaps": [], "is_cancelled": False}  # of its reply
REQUEST = Message({"name": "a.flac", "most": 60.0}, CLIP.read_bytes())
Work = Callable[[DecoderPool], Coroutine[Any, Any, Any]]

# A process that says "ready" and then does what the name of the file says.
_IMPOSTOR = """
import os, sys, time
from serkit.server.decoder_messages import Message, packed, read
from serkit.server.sandbox import die_with_parent

def say(message):
    sys.stdout.buffer.writelines(packed(message))
    sys.stdout.buffer.flush()

die_with_parent()
say(Message({"ready": True}))
while (request := read(sys.stdin.buffer)) is not None:
    match request.head["name"]:
        case "crash":
            os.abort()
        case "hang":
            time.sleep(60)
        case "babble":
            sys.stdout.buffer.write(b"x" * 100)
            sys.stdout.buffer.flush()
        case name:
            say(Message({"pid": os.getpid(), "name": name}, request.body))
"""


def run(work: Work, *, count: int = 1) -> Any:
    """Run work with a pool of real processes."""

    async def with_pool() -> Any:
        pool = DecoderPool(count)
        await pool.start()
        try:
            return await work(pool)
        finally:
            await pool.stop()

    return asyncio.run(with_pool())


@pytest.fixture
def impostors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pools start impostors."""
    started = asyncio.create_subprocess_exec

    async def start(*command: str, **options: Any) -> Any:
        return await started(sys.executable, "-c", _IMPOSTOR, **options)

    monkeypatch.setattr(decoder_pool.asyncio, "create_subprocess_exec", start)


def named(name: str, body: bytes = b"") -> Message:
    return Message({"name": name}, body)


def test_a_clip_comes_back_mixed_at_its_own_rate() -> None:
    answer = run(lambda pool: pool.ask(REQUEST, seconds=20))
    samples, rate = soundfile.read(CLIP, dtype="float32")
    assert answer.head == HEAD
    assert rate == HEAD["sampling_rate"]
    np.testing.assert_allclose(np.frombuffer(answer.body, "<f4"), samples.mean(axis=1), atol=1e-6)


def test_an_error_comes_back_by_its_name() -> None:
    answer = run(lambda pool: pool.ask(Message(REQUEST.head, b"no sound"), seconds=20))
    assert answer.head["error"] == "UnknownAudioFormatError"
    assert answer.head["message"].startswith("'a.flac' is not audio")


def test_a_file_that_needs_an_extra_is_told_what_is_missing() -> None:
    code = """
sys.modules["av"] = None  # as where it is not installed

from serkit.server.decoder_messages import Message
from serkit.server.problems import accepted_formats, decoder_problem
from serkit.server.decoder_process import answer

head = {"name": "call.m4a", "most": 60.0}
error = answer(None, Message(head, b"\\0\\0\\0\\x20ftypM4A " + bytes(100))).head
problem = decoder_problem(error["error"], error["message"], name="call.m4a", most=60.0)
print(problem.status, problem.detail)
assert "M4A" not in accepted_formats()
"""
    done = bare.python(code)
    assert done.stderr == ""
    assert done.stdout.startswith("415 reading 'call.m4a' (MP4) needs an optional part: pip install 'serkit[media]'")
    assert done.stdout.endswith("where the service runs.\n")


def test_a_process_may_write_no_file_and_leave_no_core() -> None:
    code = """
import resource, sys, tempfile
from serkit.server.sandbox import drop_resources
drop_resources(memory=1 << 30)
try:
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
        file.flush()
    print("written")
except OSError as error:
    print("refused")
try:
    bytearray(2 << 30)
    print("allocated")
except MemoryError:
    print("refused")
print(open("/proc/self/oom_score_adj").read() if sys.platform == "linux" else "1000")
"""
    done = subprocess.run(
        [sys.executable, "-c", f"import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n{code}"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["refused", "refused", "1000"], done.stderr


@pytest.mark.usefixtures("impostors")
def test_a_file_that_hangs_its_process_is_given_up_in_time_and_the_next_is_served() -> None:
    async def work(pool: DecoderPool) -> Any:
        first = await pool.ask(named("x"), seconds=5)
        with pytest.raises(DecoderTimeoutError):
            await pool.ask(named("hang"), seconds=0.2)
        return first, await pool.ask(named("y"), seconds=5)

    first, then = run(work)
    assert first.head["pid"] != then.head["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(first.head["pid"], 0)


@pytest.mark.usefixtures("impostors")
@pytest.mark.parametrize("name", ["crash", "babble"])
def test_a_file_that_breaks_its_process_is_told_so_and_the_next_is_served(name: str) -> None:
    async def work(pool: DecoderPool) -> Any:
        with pytest.raises(DecoderCrashError):
            await pool.ask(named(name), seconds=5)
        return await pool.ask(named("y", b"z" * 300_000), seconds=5)

    answer = run(work)
    assert answer.body == b"z" * 300_000


@pytest.mark.usefixtures("impostors")
def test_a_process_that_died_on_its_own_costs_nobody_an_answer() -> None:
    async def work(pool: DecoderPool) -> Any:
        before = await pool.ask(named("x"), seconds=5)
        os.kill(before.head["pid"], signal.SIGKILL)
        return before, await pool.ask(named("y"), seconds=5)

    before, after = run(work)
    assert after.head["pid"] != before.head["pid"]


@pytest.mark.usefixtures("impostors")
def test_a_request_that_nobody_waits_for_ends_its_process() -> None:
    async def work(pool: DecoderPool) -> Any:
        before = await pool.ask(named("x"), seconds=5)
        task = asyncio.ensure_future(pool.ask(named("hang"), seconds=60))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return before, await pool.ask(named("y"), seconds=5)

    before, after = run(work)
    with pytest.raises(ProcessLookupError):
        os.kill(before.head["pid"], 0)
    assert after.head["name"] == "y"


@pytest.mark.parametrize("wait", [0.0, 0.05])  # while it is forked, and while it loads
def test_a_request_that_is_given_up_while_its_process_starts_leaves_none_behind(wait: float) -> None:
    async def work() -> None:
        pool = DecoderPool(1)
        for _ in range(3):
            task = asyncio.ensure_future(pool.ask(REQUEST, seconds=20))
            await asyncio.sleep(wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.sleep(0.5)
        assert processes_below(os.getpid()) == before
        assert (await pool.ask(REQUEST, seconds=20)).head == HEAD
        await pool.stop()

    before = processes_below(os.getpid())
    asyncio.run(work())


@pytest.mark.parametrize("command", [("/nonexistent",), (sys.executable, "-c", "print('x' * 99)"), ("/bin/false",)])
def test_a_process_that_cannot_start_is_not_the_files_fault(embedded: Path, command: tuple[str, ...]) -> None:
    async def work() -> None:
        service = Service(Settings())
        service._clip_decoders._command = command
        await service.check_ready()
        with pytest.raises(DecoderStartError):
            await service._clip_decoders.ask(REQUEST, seconds=5)
        for refused in (service.predict(UploadedFile("a.flac", b"x"), "client"), service.check_ready()):
            with pytest.raises(Problem) as refusal:
                await refused
            assert (refusal.value.status, refusal.value.code) == (503, "no-process")
            assert refusal.value.headers["Retry-After"]
        service._clip_decoders._command = DecoderPool(0)._command
        await service.check_ready()  # once it can be started again, also without a request
        await service._clip_decoders.stop()

    asyncio.run(work())


@pytest.mark.usefixtures("impostors")
def test_requests_wait_for_their_turn_and_answers_are_not_mixed_up() -> None:
    async def work(pool: DecoderPool) -> Any:
        return await asyncio.gather(*(pool.ask(named(str(i), bytes([i])), seconds=20) for i in range(40)))

    answers = run(work, count=2)
    assert [(answer.head["name"], answer.body) for answer in answers] == [(str(i), bytes([i])) for i in range(40)]
    assert len({answer.head["pid"] for answer in answers}) == 2


@pytest.mark.usefixtures("impostors")
def test_processes_are_replaced_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_pool, "_MAX_JOBS", 3)

    async def work(pool: DecoderPool) -> Any:
        return [(await pool.ask(named("x"), seconds=20)).head["pid"] for _ in range(6)]

    pids = run(work)
    assert len(set(pids[:3])) == len(set(pids[3:])) == 1
    assert pids[0] != pids[3]


def test_a_process_is_only_started_when_the_others_are_busy(impostors: None) -> None:
    async def work() -> tuple[set[int], set[int]]:
        pool = DecoderPool(2)
        await pool.start(1)
        try:
            alone = {(await pool.ask(named("x"), seconds=20)).head["pid"] for _ in range(3)}
            both = await asyncio.gather(*(pool.ask(named("x"), client=one, seconds=20) for one in "ab"))
            return alone, {answer.head["pid"] for answer in both}
        finally:
            await pool.stop()

    alone, both = asyncio.run(work())
    assert len(alone) == 1
    assert len(both) == 2
    assert alone < both


def test_a_timeline_comes_in_all_formats_at_once(embedded: Path) -> None:
    async def work() -> Message:
        pool = DecoderPool(1, ("--model", "default"))
        await pool.start()
        try:
            settings = {"window": 3.0, "hop": 0.5, "channels": "mix"}
            request = timeline_request(
                "a.flac", REQUEST.body, most=60, most_windows=360, settings=settings, formats=["json", "srt"]
            )
            return await pool.ask(request, seconds=30)
        finally:
            await pool.stop()

    answer = asyncio.run(work())
    size = answer.head["sizes"]["json"]
    assert json.loads(answer.body[:size])["settings"]["hop"] == 0.5
    assert answer.body[size:].startswith(b"1\n00:00:")
