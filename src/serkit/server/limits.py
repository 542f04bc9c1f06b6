"""How much is taken on at once, and how often one client may come."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serkit.server.problems import Problem, busy

_MOST_CLIENTS = 10_000  # whose last visits are remembered; the oldest are forgotten first


class Slots:
    """Counts what is in work.

    Args:
        most: At once.
        what: How a message names it.
        on_change: Called with the number in work.
    """

    def __init__(self, most: int, what: str, on_change: Callable[[int], None] = lambda count: None) -> None:
        self._most, self._what, self._on_change = most, what, on_change
        self.taken = 0

    @contextmanager
    def take(self, count: int = 1) -> Iterator[None]:
        """Take so many, and give them back.

        Raises:
            Problem: 503, if there are not so many.
        """
        with self.take_more() as take:
            take(count)
            yield

    @contextmanager
    def take_more(self) -> Iterator[Callable[[int], None]]:
        """Yield what takes so many more each time, as :meth:`take` does; all are given back at the end."""
        held = 0

        def take(count: int) -> None:
            nonlocal held
            self.check(count)
            held += count
            self._change(count)

        try:
            yield take
        finally:
            if held:
                self._change(-held)

    def check(self, count: int = 1) -> None:
        """Look whether so many are free now.

        Raises:
            Problem: 503, if they are not.
        """
        if self.taken + count > self._most:
            raise busy(f"the service is busy: {self._what} are at their limit.")

    def _change(self, count: int) -> None:
        self.taken += count
        self._on_change(self.taken)


class RateLimiter:
    """A bucket of tokens for each client, which fills at a rate.

    Args:
        rate: Requests a second; 0 lets everybody pass.
        burst: Size of a bucket.
        clock: In seconds.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, max(1, burst), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client to what is left, and when

    def check(self, client: str) -> None:
        """Count a request of a client.

        Raises:
            Problem: 429, if it comes too often; Retry-After says when the next one may come.
        """
        if self._rate <= 0:
            return
        now = self._clock()
        left, before = self._buckets.pop(client, (float(self._burst), now))
        left = min(self._burst, left + (now - before) * self._rate)
        self._buckets[client] = (left - 1 if left >= 1 else left, now)
        while len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        if left < 1:
            seconds = max(1, math.ceil((1 - left) / self._rate))
            raise Problem(
                429, "too-many-requests", f"more than {self._rate:g} requests a second; wait {seconds} s.",
                accepted={"requests_a_second": self._rate, "at_once": self._burst},
                headers={"Retry-After": str(seconds)},
            )  # fmt: skip
