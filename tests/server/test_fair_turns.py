"""Who waits goes in turn with others, not behind all that they have asked for."""

import asyncio
from contextlib import suppress

from serkit.server.fair_turns import FairTurns


def served(asked: str, *, count: int = 1, most: int | None = None, canceled: int | None = None) -> str:
    """Return the order in which clients, each a letter, get their turns."""
    order: list[str] = []

    async def work() -> None:
        turns = FairTurns(count, most_of_client=most)

        async def one(client: str) -> None:
            async with turns.take(client):
                order.append(client)
                await asyncio.sleep(0.001)

        tasks = []
        for client in asked:
            tasks.append(asyncio.ensure_future(one(client)))
            await asyncio.sleep(0)
        if canceled is not None:
            tasks[canceled].cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        async with asyncio.timeout(1), turns.take("last"):
            assert turns._free == count - 1
        assert not turns._waiting
        assert not turns._taken

    asyncio.run(work())
    return "".join(order)


def test_a_client_with_many_requests_delays_others_by_one() -> None:
    assert served("aaaaab") == "aabaaa"
    assert served("aaaabcbc") == "aabcabca"


def test_a_clients_own_requests_stay_in_order_and_all_come() -> None:
    assert served("ababab", count=2) == "ababab"
    assert sorted(served("abcabcabc", count=3)) == sorted("abcabcabc")


def test_a_client_leaves_turns_to_others_that_have_not_come_yet() -> None:
    assert served("aaab", count=2, most=1) == "abaa"
    assert served("aabb", count=2, most=1) == "abab"
    assert served("aaaabbcc", count=3, most=2) == "aababcac"


def test_who_leaves_while_waiting_takes_no_turn() -> None:
    assert served("aaab", canceled=1) == "aab"  # counted from 0: the first that waits


def test_a_turn_that_comes_while_its_client_leaves_goes_to_the_next() -> None:
    async def work() -> None:
        turns = FairTurns(1)
        first = turns.take("a")
        await first.__aenter__()
        waiting = asyncio.ensure_future(turns._wait("b"))
        await asyncio.sleep(0)
        await first.__aexit__(None, None, None)  # the turn is b's now
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(1), turns.take("c"):
            pass

    asyncio.run(work())
