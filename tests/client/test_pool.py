"""The pool's rules without sockets: order, limits, places that are given on, and conservation under any sequence."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamarena.client.pool import ConnectionPool, Origin
from streamarena.client.settings import Limits
from streamarena.errors import ConnectionFailedError, PoolClosedError, PoolTimeoutError

HERE = Origin("http", "here", 80)
THERE = Origin("http", "there", 80)


class FakeConnection:
    def __init__(self, origin):
        self.origin = origin
        self.usable = True
        self.last_used = 0.0
        self.aborted = False

    def fail(self, error):
        self.abort()

    def abort(self):
        self.usable = False
        self.aborted = True


class Opener:
    """Opens fake connections; `delay` holds them up, `broken` makes them fail."""

    def __init__(self, delay=0.0):
        self.delay = delay
        self.broken = False
        self.made = []

    async def __call__(self, origin, on_lost):
        await asyncio.sleep(self.delay)
        if self.broken:
            raise ConnectionFailedError(origin.host, origin.port, "broken")
        connection = FakeConnection(origin)
        connection.on_lost = on_lost
        self.made.append(connection)
        return connection


def make(opener=None, **limits):
    return ConnectionPool(opener or Opener(), Limits(**limits))


async def test_a_released_connection_is_used_again():
    pool = make()
    first = await pool.acquire(HERE, 1)
    pool.release(first, reusable=True)
    assert await pool.acquire(HERE, 1) is first
    assert (pool.stats.opened, pool.stats.reused) == (1, 1)


async def test_origins_do_not_mix():
    pool = make()
    first = await pool.acquire(HERE, 1)
    pool.release(first, reusable=True)
    assert await pool.acquire(THERE, 1) is not first


async def test_an_unusable_or_aged_one_is_not_used_again():
    pool = make(idle_expiry=0.05)
    aged = await pool.acquire(HERE, 1)
    broken = await pool.acquire(HERE, 1)
    pool.release(aged, reusable=True)
    pool.release(broken, reusable=True)
    broken.usable = False
    await asyncio.sleep(0.1)
    assert await pool.acquire(HERE, 1) not in {aged, broken}
    assert aged.aborted


async def test_idle_ones_are_closed_by_themselves():
    pool = make(idle_expiry=0.05)
    kept = [await pool.acquire(HERE, 1) for _ in range(3)]
    for connection in kept:
        pool.release(connection, reusable=True)
    await asyncio.sleep(0.15)
    assert pool.idle == pool.open == 0
    assert all(connection.aborted for connection in kept)


async def test_no_more_are_kept_than_allowed():
    pool = make(max_idle_connections=1)
    kept = [await pool.acquire(HERE, 1) for _ in range(3)]
    for connection in kept:
        pool.release(connection, reusable=True)
    assert pool.idle == 1


async def test_waiters_are_served_in_order():
    pool = make(max_connections=1)
    served = []

    async def user(number):
        connection = await pool.acquire(HERE, 5)
        served.append(number)
        await asyncio.sleep(0)
        pool.release(connection, reusable=number % 2 == 0)

    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(user(number))
    assert served == list(range(10))
    assert pool.stats.waited == 9


async def test_a_place_for_another_origin_closes_an_idle_connection():
    pool = make(max_connections=1)
    first = await pool.acquire(HERE, 1)
    pool.release(first, reusable=True)
    await pool.acquire(THERE, 1)
    assert first.aborted
    assert pool.open == 1


async def test_the_limit_holds_while_connections_are_being_opened():
    opener = Opener(delay=0.02)
    pool = make(opener, max_connections=3)
    high = 0

    async def user():
        nonlocal high
        connection = await pool.acquire(HERE, 5)
        high = max(high, pool.open)
        await asyncio.sleep(0.001)
        pool.release(connection, reusable=False)

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(user())
    assert high == 3
    assert pool.open == 0


async def test_waiting_has_a_limit():
    pool = make(max_connections=1)
    await pool.acquire(HERE, 1)
    with pytest.raises(PoolTimeoutError):
        await pool.acquire(HERE, 0.02)
    assert pool.waiting == 0


async def test_a_failed_opening_passes_its_place_on():
    opener = Opener(delay=0.01)
    opener.broken = True
    pool = make(opener, max_connections=1)
    results = await asyncio.gather(*(pool.acquire(HERE, 1) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, ConnectionFailedError) for result in results)
    assert pool.open == 0


@pytest.mark.parametrize("reusable", [True, False])
async def test_a_waiter_that_is_cancelled_with_its_turn_in_hand_gives_it_on(reusable):
    pool = make(max_connections=1)
    held = await pool.acquire(HERE, 1)
    first = asyncio.create_task(pool.acquire(HERE, 5))
    second = asyncio.create_task(pool.acquire(HERE, 5))
    await asyncio.sleep(0)
    pool.release(held, reusable=reusable)  # the first waiter's turn ...
    first.cancel()  # ... and it leaves before it has run
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await asyncio.wait_for(second, 1)
    assert pool.open == 1


async def test_release_twice_does_nothing():
    pool = make()
    connection = await pool.acquire(HERE, 1)
    pool.release(connection, reusable=True)
    pool.release(connection, reusable=True)
    assert pool.idle == 1


async def test_a_connection_lost_while_idle_leaves_the_pool():
    pool = make(max_connections=1)
    connection = await pool.acquire(HERE, 1)
    pool.release(connection, reusable=True)
    connection.usable = False
    connection.on_lost(connection)
    assert pool.open == 0


async def test_closing_fails_waiters_and_openers():
    pool = make(Opener(delay=0.02), max_connections=2)
    await pool.acquire(HERE, 1)
    opening = asyncio.create_task(pool.acquire(HERE, 1))
    waiting = asyncio.create_task(pool.acquire(HERE, 1))
    await asyncio.sleep(0)
    pool.close()
    for task in (opening, waiting):
        with pytest.raises(PoolClosedError):
            await task
    with pytest.raises(PoolClosedError):
        await pool.acquire(HERE, 1)
    assert pool.open == 0


STEPS = st.lists(
    st.tuples(st.sampled_from(["acquire", "release", "drop", "cancel", "lose", "run"]), st.integers(0, 7)), max_size=60
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_what_was_opened_is_leased_idle_or_closed(steps):
    async def scenario():
        pool = make(max_connections=3, max_idle_connections=2)
        tasks = []
        for action, number in steps:
            done = [task.result() for task in tasks if task.done() and not task.cancelled() and not task.exception()]
            leased = [connection for connection in done if connection in pool._leased]
            if action == "acquire":
                tasks.append(asyncio.create_task(pool.acquire((HERE, THERE)[number % 2], 5)))
            elif action in {"release", "drop"} and leased:
                pool.release(leased[number % len(leased)], reusable=action == "release")
            elif action == "cancel" and tasks:
                tasks[number % len(tasks)].cancel()
            elif action == "lose" and (idle := [each for kept in pool._idle.values() for each in kept]):
                idle[number % len(idle)].usable = False
                pool._connection_lost(idle[number % len(idle)])
            else:
                await asyncio.sleep(0)
            assert pool.open <= 3
            assert pool.stats.opened - pool.stats.closed == pool.leased + pool.idle
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        pool.close()
        assert pool.open == pool.waiting == 0

    asyncio.run(scenario())
