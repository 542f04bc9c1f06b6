"""What a worker has: a model, processes that decode, limits, counts; and how it answers from them."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import numpy as np
from starlette.requests import Request

from serkit.errors import SerkitError
from serkit.runtime.recognizer import Recognizer
from serkit.runtime.vad import detector
from serkit.server.batching import BatchingSession
from serkit.server.counters import Metrics
from serkit.server.decoder_pool import SoundPool, SoundProcessError, SoundStartError, SoundTimeoutError
from serkit.server.limits import Slots
from serkit.server.pipe_messages import Message
from serkit.server.problems import Problem, busy, of_error, sound_problem
from serkit.server.service_settings import Settings
from serkit.server.uploads import Sent
from serkit.types import Prediction

Result = TypeVar("Result")


class Service:
    """The state of one worker process.

    Args:
        settings: How it runs.

    Attributes:
        recognizer: Its model.
        metrics: What it counts.
        uploads: Slots for requests with a body.
        timelines: Slots for those of them that are timelines.
        room: Bytes for those bodies.
        sessions: Slots for streams.
        closing: Set when no new work is taken on.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._model = BatchingSession.load(settings.model, threads=1)
        self.recognizer = Recognizer(self._model)
        self.metrics = Metrics()
        limits = settings.limits
        self.uploads = Slots(limits.requests, "requests", self.metrics.queue.set)
        self.timelines = Slots(limits.timelines, "timelines")
        self.room = Slots(limits.uploaded_bytes, "bytes of uploads")
        self.sessions = Slots(limits.sessions, "streams", self.metrics.sessions.set)
        self.closing = asyncio.Event()
        self._decoders = SoundPool(settings.decoders)
        self._listeners = SoundPool(settings.listeners, ("--model", settings.model or "default"))
        self._threads = ThreadPoolExecutor(limits.requests + limits.sessions, thread_name_prefix="work")

    async def start(self) -> None:
        """Load what the first request would have to wait for."""
        self._model.on_batch = self.metrics.batches.observe
        self._model.start(os.cpu_count() or 1)
        await asyncio.gather(self._decoders.start(), self._listeners.start(), self.in_thread(self._warm_up))

    async def stop(self) -> None:
        """End all that :meth:`start` began."""
        await asyncio.gather(self._decoders.stop(), self._listeners.stop())
        await asyncio.get_running_loop().run_in_executor(None, self._model.stop)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def predict(self, sent: Sent, **options: Any) -> Prediction:
        """Recognize a clip; options are those of :meth:`serkit.Recognizer.predict`.

        Raises:
            Problem: If the clip cannot be used.
        """
        limits = self.settings.limits
        request = Message({"name": sent.name, "most": limits.clip_seconds}, sent.content)
        decoded = await self._ask(self._decoders, request, seconds=limits.decode_seconds, most=limits.clip_seconds)
        samples, rate = np.frombuffer(decoded.body, "<f4"), int(decoded.head["sampling_rate"])
        try:
            self.recognizer.card.check_duration(len(samples) / rate, repr(sent.name))
            answer = await self.in_thread(partial(self.recognizer.predict, samples, sampling_rate=rate, **options))
        except SerkitError as error:
            raise of_error(error, name=sent.name) from error
        self.metrics.audio.labels("predict").inc(answer.duration)
        return answer

    async def timeline(self, sent: Sent, settings: Mapping[str, Any], formats: Sequence[str]) -> dict[str, bytes]:
        """Listen to a recording.

        Args:
            sent: The recording.
            settings: Options of :meth:`serkit.Recognizer.timeline`.
            formats: In which the timeline is wanted.

        Returns:
            Format to document.

        Raises:
            Problem: If the recording cannot be used.
        """
        limits = self.settings.limits
        head = {"name": sent.name, "most": limits.recording_seconds, "settings": settings, "formats": list(formats)}
        request = Message(head, sent.content)
        answer = await self._ask(
            self._listeners, request, seconds=limits.timeline_seconds, most=limits.recording_seconds
        )
        self.metrics.audio.labels("timeline").inc(float(answer.head["duration"]))
        documents, start = {}, 0
        for name in formats:
            size = answer.head["sizes"][name]
            documents[name] = answer.body[start : start + size]
            start += size
        return documents

    async def in_thread(self, action: Callable[[], Result]) -> Result:
        """Run something that takes time while others are served."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, action)

    def check_open(self) -> None:
        """Refuse new work, and tell whoever asks, while the service is being shut down.

        Raises:
            Problem: 503.
        """
        if self.closing.is_set():
            raise busy("the service is shutting down.", "shutting-down")

    async def check_ready(self) -> None:
        """Refuse work also where no process can be started to read what is sent.

        Raises:
            Problem: 503.
        """
        self.check_open()
        try:
            await asyncio.gather(self._decoders.check(), self._listeners.check())
        except SoundStartError as error:
            raise _without_process() from error

    def _warm_up(self) -> None:
        detector()
        rate = self.recognizer.card.sampling_rate
        self.recognizer.predict(np.zeros(rate, np.float32), sampling_rate=rate)

    async def _ask(self, pool: SoundPool, request: Message, *, seconds: float, most: float) -> Message:
        name = str(request.head["name"])
        try:
            answer = await pool.ask(request, seconds=seconds)
        except SoundTimeoutError as error:
            raise Problem(422, "decoding-timeout", f"{name!r} took more than {seconds:g} s to hear.") from error
        except SoundStartError as error:
            raise _without_process() from error
        except SoundProcessError as error:
            detail = f"{name!r} cannot be decoded: it makes the decoder fail."
            raise Problem(422, "decoding-failed", detail) from error
        if kind := answer.head.get("error"):
            raise sound_problem(str(kind), str(answer.head["message"]), name=name, most=most)
        return answer


def _without_process() -> Problem:
    return busy("no process can be started that reads the sound; try again.", "no-process")


async def unless_gone(request: Request, work: Awaitable[Result]) -> Result:
    """Wait for work on a request whose body has been read; give it up where the client is gone.

    Raises:
        ClientGoneError: If it is.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGoneError
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
            with suppress(asyncio.CancelledError, Problem):
                await one


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
