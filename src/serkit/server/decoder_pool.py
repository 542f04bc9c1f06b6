"""A pool of decoder processes for uploaded files: jobs have a time limit, and failed processes are replaced."""

import asyncio
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from serkit.server.decoder_messages import Message, packed, receive
from serkit.server.fair_turns import FairTurns

_START_SECONDS = 60.0  # long enough to load a model on a busy machine
_BUFFER_BYTES = 1 << 20
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}  # the stack of each further thread would count as the process's memory
_MAX_JOBS = 2_000  # jobs after which a process is replaced, which frees whatever a library leaks


class DecoderTimeoutError(Exception):
    """The process did not reply in time, and was killed."""


class DecoderCrashError(Exception):
    """The process ended, or sent bytes that are not a reply."""


class DecoderStartError(DecoderCrashError):
    """No process could be started; the uploaded file is not the cause."""


class DecoderPool:
    """A fixed number of decoder processes (:mod:`serkit.server.decoder_process`).

    Args:
        count: Number of processes.
        arguments: Command-line arguments of the processes.
        most_of_client: Number of processes that may work for one client at once; None for all of them.
    """

    def __init__(self, count: int, arguments: Sequence[str] = (), *, most_of_client: int | None = None) -> None:
        self._command = (sys.executable, "-m", "serkit.server.decoder_process", *arguments)
        self._turns = FairTurns(count, most_of_client=most_of_client)
        self._idle: deque[_DecoderProcess | None] = deque([None] * count)  # None: a process to be started
        self._all: set[_DecoderProcess] = set()
        self._has_failed_to_start = False  # the most recent start

    async def start(self, count: int | None = None) -> None:
        """Start processes, so that the first requests need not wait; further ones start when they are needed.

        Args:
            count: Number of processes; None for all.
        """
        idle = [self._idle.popleft() for _ in range(len(self._idle) if count is None else count)]
        self._idle.extendleft(await asyncio.gather(*map(self._ensure_running, idle)))

    async def stop(self) -> None:
        """Kill all processes, including busy ones."""
        await asyncio.gather(*(process.kill() for process in tuple(self._all)))

    async def ask(self, request: Message, *, client: str = "", seconds: float) -> Message:
        """Send a request to the next idle process and return its reply.

        Clients that wait for a process take turns.

        A request whose process ends is sent to a second process, because the first may have ended for another reason.

        Args:
            request: Request of :mod:`serkit.server.decoder_messages`.
            client: Client that waits for the reply.
            seconds: Time limit for the reply, counted from when a process is idle.

        Raises:
            DecoderTimeoutError: If the reply takes longer.
            DecoderCrashError: If two processes end on the request, one after the other.
            DecoderStartError: If no process can be started.
        """
        try:
            return await self._ask_once(request, client, seconds)
        except DecoderStartError:
            raise
        except DecoderCrashError:
            return await self._ask_once(request, client, seconds)

    async def check(self) -> None:
        """Try to start a process again if the most recent start failed.

        Raises:
            DecoderStartError: If it fails again.
        """
        if self._has_failed_to_start:
            async with self._turns.take(""), self._borrow():
                pass

    async def _ask_once(self, request: Message, client: str, seconds: float) -> Message:
        async with self._turns.take(client), self._borrow() as process:
            try:
                async with asyncio.timeout(seconds):
                    return await process.ask(request)
            except TimeoutError as error:
                raise DecoderTimeoutError from error
            except (asyncio.IncompleteReadError, OSError, ValueError) as error:
                raise DecoderCrashError from error

    @asynccontextmanager
    async def _borrow(self) -> "AsyncIterator[_DecoderProcess]":
        """Yield an idle process; afterwards it is idle again, or replaced if it failed."""
        process = self._idle.popleft()  # whoever has a turn finds one
        try:
            process = await self._ensure_running(process)
            yield process
        except BaseException:  # also a canceled request, on which the process would still work
            if process is not None:
                self._all.discard(process)
                await asyncio.shield(process.kill())
            process = None
            raise
        finally:
            if process is not None and process.jobs >= _MAX_JOBS:
                self._all.discard(process)
                await process.kill()
                process = None
            if process is None:
                self._idle.append(process)
            else:
                self._idle.appendleft(process)  # the next request takes a running process, if there is one

    async def _ensure_running(self, process: "_DecoderProcess | None") -> "_DecoderProcess":
        if process is not None and process.is_running:
            return process
        if process is not None:
            self._all.discard(process)
        try:
            started = await _DecoderProcess.start(self._command)
        except DecoderStartError:
            self._has_failed_to_start = True
            raise
        self._has_failed_to_start = False
        self._all.add(started)
        return started


class _DecoderProcess:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin
        assert process.stdout
        self._process, self._requests, self._replies = process, process.stdin, process.stdout
        self.jobs = 0

    @classmethod
    async def start(cls, command: Sequence[str]) -> "_DecoderProcess":
        """Start a process and wait until it is ready; if that fails or is canceled, no process is left behind."""
        pipe = asyncio.subprocess.PIPE
        spawned = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, limit=_BUFFER_BYTES, env=os.environ | _ONE_THREAD
            )
        )
        try:
            process = cls(await asyncio.shield(spawned))
        except OSError as error:
            raise DecoderStartError from error
        except asyncio.CancelledError:
            spawned.add_done_callback(_kill_spawned)
            raise
        try:
            async with asyncio.timeout(_START_SECONDS):
                await receive(process._replies)
        except BaseException as error:
            await asyncio.shield(process.kill())
            if isinstance(error, (TimeoutError, asyncio.IncompleteReadError, OSError, ValueError)):
                raise DecoderStartError from error
            raise
        return process

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def ask(self, request: Message) -> Message:
        self.jobs += 1
        sent = asyncio.ensure_future(self._send(request))
        try:
            return await receive(self._replies)
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


def _kill_spawned(spawned: "asyncio.Future[asyncio.subprocess.Process]") -> None:
    """Kill a process whose start was canceled."""
    if not spawned.cancelled() and not spawned.exception():
        with suppress(ProcessLookupError):
            spawned.result().kill()
