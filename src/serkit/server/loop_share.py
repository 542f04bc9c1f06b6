"""The event loop's time: a client that takes more than its share waits, so that others are served meanwhile.

A connection that sends tiny chunks or frames, or requests without a pause, keeps one core busy with parsing alone, and
the event loop of a worker has no more than one.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_BURST_SECONDS = 0.25  # time that a client may take at once
_MAX_CLIENTS = 10_000  # clients that are remembered; the oldest is forgotten first


class LoopShare:
    """Counts the CPU time that each client takes.

    Args:
        share: CPU time per second that one client may take on average; 1 or more disables the limit.
        clock: Function that returns the time in seconds.
        cpu_clock: Function that returns the CPU time of the event loop's thread in seconds.
    """

    def __init__(
        self,
        share: float,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._share, self._clock, self._cpu_clock = share, clock, cpu_clock
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client to (CPU time taken, when)

    def wait_of(self, client: str) -> float:
        """Return the seconds until a client may take time again; 0 if it may now.

        Args:
            client: Client, or an empty string for a proxy of many clients, which never waits.
        """
        return max(0.0, self._taken(client) - _BURST_SECONDS) / self._share

    @contextmanager
    def count(self, client: str) -> Iterator[None]:
        """Count the CPU time of the block as taken by a client."""
        start = self._cpu_clock()
        try:
            yield
        finally:
            self.add(client, self._cpu_clock() - start)

    def add(self, client: str, seconds: float) -> None:
        """Count CPU time as taken by a client."""
        if self._share >= 1 or not client:
            return
        self._clients[client] = (self._taken(client) + seconds, self._clock())
        self._clients.move_to_end(client)
        while len(self._clients) > _MAX_CLIENTS:
            self._clients.popitem(last=False)

    def _taken(self, client: str) -> float:
        """Return the CPU time that a client took beyond its share."""
        taken, when = self._clients.get(client, (0.0, 0.0))
        return max(0.0, taken - self._share * (self._clock() - when))
