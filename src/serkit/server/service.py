"""The state of a worker: model, decoder processes, limits and metrics; and the work that endpoints ask of it."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from starlette.requests import Request

from serkit.audio.damage import Damaged
from serkit.audio.mixing import remarks_on
from serkit.errors import SerkitError
from serkit.runtime.recognizer import Recognizer
from serkit.runtime.vad import detector
from serkit.server.admission import Slots
from serkit.server.batching import BatchingSession
from serkit.server.decoder_messages import Message, clip_request, timeline_documents, timeline_request
from serkit.server.decoder_pool import DecoderCrashError, DecoderPool, DecoderStartError, DecoderTimeoutError
from serkit.server.fair_turns import FairTurns
from serkit.server.problems import Problem, busy, decoder_problem, problem_of
from serkit.server.prometheus import Metrics
from serkit.server.service_settings import Settings
from serkit.server.uploads import UploadedFile
from serkit.types import Gap, Prediction

Result = TypeVar("Result")
_RUNS_PER_CORE = 2  # of the model at once, of which a client may have its share


class Service:
    """The state of one worker process.

    Args:
        settings: Settings of the service.

    Attributes:
        recognizer: Recognizer with the loaded model.
        metrics: Prometheus metrics.
        uploads: Slots for requests with an upload.
        timelines: Slots for timelines, which are uploads too.
        upload_memory: Slots for the bytes of all uploads.
        sessions: Slots for streams.
        closing: Event that is set at shutdown, when new work is refused.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._model = BatchingSession.load(settings.model, threads=1)
        self.recognizer = Recognizer(self._model)
        self.metrics = Metrics()
        limits = settings.limits
        self.uploads = self._slots(limits.requests, "uploads", self.metrics.queue.set)
        self.timelines = self._slots(limits.timelines, "timelines")
        self.upload_memory = Slots(limits.uploaded_bytes, "uploaded bytes", most_of_client=limits.client_bytes)
        self.sessions = self._slots(limits.sessions, "streams", self.metrics.sessions.set)
        self.closing = asyncio.Event()
        self._clip_decoders = self._decoders(settings.clip_decoders)
        self._timeline_decoders = self._decoders(settings.timeline_decoders, "--model", settings.model or "default")
        threads = limits.requests + limits.sessions
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="work")
        of_client = None if limits.client_share == 1 else limits.of_client(_RUNS_PER_CORE * (os.cpu_count() or 1))
        self._runs = FairTurns(threads, most_of_client=of_client)

    def _slots(self, most: int, what: str, on_change: Callable[[int], None] = lambda count: None) -> Slots:
        return Slots(most, what, on_change, most_of_client=self.settings.limits.of_client(most))

    def _decoders(self, count: int, *arguments: str) -> DecoderPool:
        return DecoderPool(count, arguments, most_of_client=self.settings.limits.of_client(count))

    async def start(self) -> None:
        """Start threads and processes, so that the first request need not wait for them."""
        self._model.on_batch = self.metrics.batches.observe
        self._model.start(os.cpu_count() or 1)
        await asyncio.gather(
            self._clip_decoders.start(), self._timeline_decoders.start(1), self.in_thread(self._warm_up)
        )

    async def stop(self) -> None:
        """Stop the threads and processes."""
        await asyncio.gather(self._clip_decoders.stop(), self._timeline_decoders.stop())
        await asyncio.get_running_loop().run_in_executor(None, self._model.stop)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def predict(
        self, upload: UploadedFile, client: str, *, damaged: Damaged = "refuse", **options: Any
    ) -> Prediction:
        """Return the prediction for a clip.

        Args:
            upload: Clip.
            client: Client that sent it.
            damaged: Whether a damaged file is refused, or read as far as it can be heard.
            **options: Other options of :meth:`serkit.Recognizer.predict`.

        Raises:
            Problem: If the clip cannot be used.
        """
        most = min(self.settings.limits.clip_seconds, self.recognizer.card.maximum_duration)
        request = clip_request(upload.name, upload.content, most=most, damaged=damaged)
        seconds = self.settings.limits.decode_seconds
        decoded = await self._ask(self._clip_decoders, request, client, seconds=seconds, most=most)
        samples, rate = np.frombuffer(decoded.body, "<f4"), int(decoded.head["sampling_rate"])
        try:
            self.recognizer.card.check_duration(len(samples) / rate, repr(upload.name))
            work = partial(self.recognizer.predict, samples, sampling_rate=rate, **options)
            answer = await self.run_model(work, client)
        except SerkitError as error:
            raise problem_of(error, name=upload.name) from error
        self.metrics.audio.labels("predict").inc(answer.duration)
        is_cancelled = bool(decoded.head["is_cancelled"])
        return replace(
            answer,
            remarks=remarks_on(is_narrow="narrowband" in answer.remarks, is_cancelled=is_cancelled),
            gaps=tuple(Gap(start=start, end=end) for start, end in decoded.head["gaps"]),
        )

    async def timeline(
        self, upload: UploadedFile, client: str, settings: Mapping[str, Any], formats: Sequence[str]
    ) -> dict[str, bytes]:
        """Return the timeline of a recording, in one or more formats.

        Args:
            upload: Recording.
            client: Client that sent it.
            settings: Options of :meth:`serkit.Recognizer.timeline`.
            formats: Names of the output formats.

        Returns:
            Format name to document.

        Raises:
            Problem: If the recording cannot be used.
        """
        limits = self.settings.limits
        request = timeline_request(
            upload.name, upload.content, most=limits.recording_seconds, most_windows=limits.window_seconds,
            settings=settings, formats=formats,
        )  # fmt: skip
        answer = await self._ask(
            self._timeline_decoders, request, client, seconds=limits.timeline_seconds, most=limits.recording_seconds
        )
        self.metrics.audio.labels("timeline").inc(float(answer.head["duration"]))
        return timeline_documents(answer)

    async def run_model(self, action: Callable[[], Result], client: str) -> Result:
        """Run a function that uses the model in a worker thread; a client with many of them leaves cores to others."""
        async with self._runs.take(client):
            return await self.in_thread(action)

    async def in_thread(self, action: Callable[[], Result]) -> Result:
        """Run a slow function in a worker thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, action)

    def check_open(self) -> None:
        """Check that the service takes on new work.

        Raises:
            Problem: 503, if the service is shutting down.
        """
        if self.closing.is_set():
            raise busy("the service is shutting down.", "shutting-down")

    async def check_ready(self) -> None:
        """Check that the service takes on new work and can start decoder processes.

        Raises:
            Problem: 503, if it cannot.
        """
        self.check_open()
        try:
            await asyncio.gather(self._clip_decoders.check(), self._timeline_decoders.check())
        except DecoderStartError as error:
            raise _no_process() from error

    def _warm_up(self) -> None:
        detector()
        rate = self.recognizer.card.sampling_rate
        self.recognizer.predict(np.zeros(rate, np.float32), sampling_rate=rate)

    async def _ask(self, pool: DecoderPool, request: Message, client: str, *, seconds: float, most: float) -> Message:
        name = str(request.head["name"])
        try:
            answer = await pool.ask(request, client=client, seconds=seconds)
        except DecoderTimeoutError as error:
            raise Problem(422, "decoding-timeout", f"processing {name!r} took longer than {seconds:g} s.") from error
        except DecoderStartError as error:
            raise _no_process() from error
        except DecoderCrashError as error:
            detail = f"{name!r} cannot be decoded: it crashes the decoder."
            raise Problem(422, "decoding-failed", detail) from error
        if kind := answer.head.get("error"):
            raise decoder_problem(str(kind), str(answer.head["message"]), name=name, most=most)
        return answer


def _no_process() -> Problem:
    return busy("the service cannot start a decoder process; try again.", "no-process")


async def unless_disconnected(request: Request, work: Awaitable[Result]) -> Result:
    """Return the result of work on a request; cancel the work if the client disconnects.

    Args:
        request: Request whose body has been read.
        work: Work to wait for.

    Raises:
        ClientDisconnectedError: If the client disconnects first.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnectedError
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
            with suppress(asyncio.CancelledError, Problem):
                await one


class ClientDisconnectedError(Exception):
    """The client disconnected before its response was ready."""


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
