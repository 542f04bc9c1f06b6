"""Admission control: how much work a worker takes on at once, from all clients and from one, and at what rate."""

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serkit.server.problems import Problem, busy, too_many_at_once

_MAX_CLIENTS = 10_000  # clients whose last request is remembered; the oldest is forgotten first


class Slots:
    """A limited number of slots for work, of which one client may take a share.

    Args:
        most: Number of slots.
        what: Name of the work in error messages, in the plural.
        on_change: Called with the number of taken slots when it changes.
        most_of_client: Number of slots that one client may take; None for all of them.
    """

    def __init__(
        self,
        most: int,
        what: str,
        on_change: Callable[[int], None] = lambda count: None,
        *,
        most_of_client: int | None = None,
    ) -> None:
        self._most, self._what, self._on_change = most, what, on_change
        self._most_of_client = most if most_of_client is None else min(most, most_of_client)
        self._of_clients: Counter[str] = Counter()
        self.taken = 0

    @contextmanager
    def take(self, client: str, count: int = 1) -> Iterator[None]:
        """Take slots for a client, and free them at the end.

        Raises:
            Problem: 503 if too few slots are free, 429 if the client has too many of them.
        """
        with self.take_more(client) as take:
            take(count)
            yield

    @contextmanager
    def take_more(self, client: str) -> Iterator[Callable[[int], None]]:
        """Yield a function that takes more slots on each call, as :meth:`take` does; free them all at the end."""
        held = 0

        def take(count: int) -> None:
            nonlocal held
            self.check(client, count)
            held += count
            self._change(client, count)

        try:
            yield take
        finally:
            if held:
                self._change(client, -held)

    def check(self, client: str, count: int = 1) -> None:
        """Check that a client may take slots now, without taking them.

        Raises:
            Problem: 503 if too few slots are free, 429 if the client has too many of them.
        """
        if self.taken + count > self._most:
            raise busy(f"the service is busy: too many {self._what} at once; try again.")
        if self._of_clients[client] + count > self._most_of_client:
            raise too_many_at_once(self._most_of_client, self._what)

    def _change(self, client: str, count: int) -> None:
        self.taken += count
        self._of_clients[client] += count
        if not self._of_clients[client]:
            del self._of_clients[client]
        self._on_change(self.taken)


class RateLimiter:
    """A token bucket for each client.

    Args:
        rate: Requests per second; 0 disables the limit.
        burst: Size of a bucket: the number of requests that may come at once.
        clock: Function that returns the time in seconds.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, max(1, burst), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client to (tokens left, time)

    def check(self, client: str) -> None:
        """Count a request of a client.

        Raises:
            Problem: 429, if the client sends too many requests; its Retry-After header says when to try again.
        """
        if self._rate <= 0:
            return
        now = self._clock()
        left, before = self._buckets.pop(client, (float(self._burst), now))
        left = min(self._burst, left + (now - before) * self._rate)
        self._buckets[client] = (left - 1 if left >= 1 else left, now)
        while len(self._buckets) > _MAX_CLIENTS:
            self._buckets.popitem(last=False)
        if left < 1:
            seconds = max(1, math.ceil((1 - left) / self._rate))
            raise Problem(
                429, "too-many-requests", f"more than {self._rate:g} requests per second; wait {seconds} s.",
                accepted={"requests_a_second": self._rate, "at_once": self._burst},
                headers={"Retry-After": str(seconds)},
            )  # fmt: skip
