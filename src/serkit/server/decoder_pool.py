"""Processes that read strangers' files, a few at a time, each with a time limit; those that fail are replaced."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from serkit.server.pipe_messages import Message, packed, receive

_START_SECONDS = 60.0  # a model is loaded, on a machine that may be busy
_BUFFER = 1 << 20  # bytes
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}  # the stack of each would count as its memory
_JOBS = 2_000  # after which a process makes room for a new one: what a library leaks goes with it


class SoundTimeoutError(Exception):
    """The process did not answer in time, and was killed."""


class SoundProcessError(Exception):
    """The process ended, or said what is no answer."""


class SoundStartError(SoundProcessError):
    """No process could be started: that is nobody's file's fault."""


class SoundPool:
    """Processes of :mod:`serkit.server.decoder_process`.

    Args:
        count: How many.
        arguments: Of the command.
    """

    def __init__(self, count: int, arguments: Sequence[str] = ()) -> None:
        self._command = (sys.executable, "-m", "serkit.server.decoder_process", *arguments)
        self._places: asyncio.Queue[_Process | None] = asyncio.Queue()  # None: to be started
        self._all: set[_Process] = set()
        self._count = count
        self._is_failing = False  # the last start
        for _ in range(count):
            self._places.put_nowait(None)

    async def start(self) -> None:
        """Start them all, so that the first request need not wait."""
        places = [await self._places.get() for _ in range(self._count)]
        for place in await asyncio.gather(*(self._running(place) for place in places)):
            self._places.put_nowait(place)

    async def stop(self) -> None:
        """End them all, also those that work."""
        await asyncio.gather(*(process.kill() for process in tuple(self._all)))

    async def ask(self, request: Message, *, seconds: float) -> Message:
        """Hand a request to the next free process.

        Args:
            request: As :func:`serkit.server.decoder_process.answer` wants it.
            seconds: That the answer may take, once a process is free.

        Raises:
            SoundTimeoutError: If it takes longer.
            SoundProcessError: If it makes two processes end, one after the other.
            SoundStartError: If no process can be started.
        """
        try:
            return await self._ask(request, seconds)
        except SoundStartError:
            raise
        except SoundProcessError:  # it may have ended before, for a reason of its own
            return await self._ask(request, seconds)

    async def check(self) -> None:
        """Try again to start a process, where the last one could not be.

        Raises:
            SoundStartError: If it still cannot.
        """
        if self._is_failing:
            async with self._place():
                pass

    async def _ask(self, request: Message, seconds: float) -> Message:
        async with self._place() as process:
            try:
                async with asyncio.timeout(seconds):
                    return await process.ask(request)
            except TimeoutError as error:
                raise SoundTimeoutError from error
            except (asyncio.IncompleteReadError, OSError, ValueError) as error:
                raise SoundProcessError from error

    @asynccontextmanager
    async def _place(self) -> "AsyncIterator[_Process]":
        place = await self._places.get()
        try:
            place = await self._running(place)
            yield place
        except BaseException:  # a request that was given up leaves a process that still works on it
            if place is not None:
                self._all.discard(place)
                await asyncio.shield(place.kill())
            place = None
            raise
        finally:
            if place is not None and place.jobs >= _JOBS:
                self._all.discard(place)
                await place.kill()
                place = None
            self._places.put_nowait(place)

    async def _running(self, place: "_Process | None") -> "_Process":
        if place is not None and place.is_running:
            return place
        if place is not None:
            self._all.discard(place)
        try:
            started = await _Process.start(self._command)
        except SoundStartError:
            self._is_failing = True
            raise
        self._is_failing = False
        self._all.add(started)
        return started


class _Process:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin
        assert process.stdout
        self._process, self._requests, self._answers = process, process.stdin, process.stdout
        self.jobs = 0

    @classmethod
    async def start(cls, command: Sequence[str]) -> "_Process":
        """Start one and wait until it is ready; whatever comes between, no process is left behind."""
        pipe = asyncio.subprocess.PIPE
        spawned = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, limit=_BUFFER, env=os.environ | _ONE_THREAD
            )
        )
        try:
            process = cls(await asyncio.shield(spawned))
        except OSError as error:
            raise SoundStartError from error
        except asyncio.CancelledError:
            spawned.add_done_callback(_end)
            raise
        try:
            async with asyncio.timeout(_START_SECONDS):
                await receive(process._answers)
        except BaseException as error:
            await asyncio.shield(process.kill())
            if isinstance(error, (TimeoutError, asyncio.IncompleteReadError, OSError, ValueError)):
                raise SoundStartError from error
            raise
        return process

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def ask(self, request: Message) -> Message:
        self.jobs += 1
        sent = asyncio.ensure_future(self._send(request))
        try:
            return await receive(self._answers)
        finally:
            sent.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await sent

    async def _send(self, request: Message) -> None:
        self._requests.writelines(packed(request))
        await self._requests.drain()

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def _end(spawned: "asyncio.Future[asyncio.subprocess.Process]") -> None:
    """End a process that nobody waits for any more."""
    if not spawned.cancelled() and not spawned.exception():
        with suppress(ProcessLookupError):
            spawned.result().kill()
