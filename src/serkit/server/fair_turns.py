"""Turns for a scarce resource: clients that wait get it one after the other, however many requests each has."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_Waiting = deque["asyncio.Future[None]"]


class FairTurns:
    """A limited number of turns that clients wait for.

    The requests of one client are served in order. Between clients the turns go round, so that a client with many
    requests delays another client by one of them at most.

    Args:
        count: Number of turns at once.
        most_of_client: Number of turns that one client may have at once; None for all of them.
    """

    def __init__(self, count: int, *, most_of_client: int | None = None) -> None:
        self._free, self._most_of_client = count, most_of_client or count
        self._taken: Counter[str] = Counter()  # turns of each client
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()  # the client whose turn is next comes first

    @asynccontextmanager
    async def take(self, client: str) -> AsyncIterator[None]:
        """Wait for a turn of a client, and end it with the block."""
        await self._wait(client)
        try:
            yield
        finally:
            self._give_back(client)

    async def _wait(self, client: str) -> None:
        if self._free and self._may_take(client):  # then nobody waits who may
            self._take(client)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the turn came at the same moment
                self._give_back(client)
            raise

    def _may_take(self, client: str) -> bool:
        return self._taken[client] < self._most_of_client

    def _take(self, client: str) -> None:
        self._free -= 1
        self._taken[client] += 1

    def _give_back(self, client: str) -> None:
        """End a turn, and give it to the next client that may have it."""
        self._free += 1
        self._taken[client] -= 1
        if not self._taken[client]:
            del self._taken[client]
        for other in filter(self._may_take, tuple(self._waiting)):
            turns = self._waiting.pop(other)
            turn = next((turn for turn in turns if not turn.done()), None)  # the others were canceled
            left = deque(one for one in turns if one is not turn and not one.done())
            if left:
                self._waiting[other] = left  # behind the other clients
            if turn:
                self._take(other)
                turn.set_result(None)
                return
