"""Pools whose workers are killed, replaced, and come and go under load: what was sent is accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from actors import ActorCrashedError, ActorSystem, HashBy, Pool, Recycle
from actors.pool.routing import Routing
from tests.support.pool_workers import Glutton, Hand, Keeper

FEW, MANY = 1_000, 20_000
OPEN = 200  # asks at once

both = pytest.mark.parametrize(
    "count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)]
)


async def kill_some(pool: Pool[Any], every: float) -> None:
    """Kill a worker every *every* seconds."""
    while True:
        await asyncio.sleep(every)
        workers = pool.stats().workers
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(workers).pid, signal.SIGKILL)


async def grow_and_shrink(pool: Pool[Any]) -> None:
    """Change the size all the time."""
    while True:
        for size in (2, 6, 3, 4):
            await pool.resize(size)
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def beside(*disturbances: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run *disturbances* meanwhile."""
    tasks = [asyncio.create_task(each) for each in disturbances]
    yield
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(outcome, asyncio.CancelledError), outcome


async def ask_all(ask: Callable[[int], Any], count: int) -> Counter[object]:
    """Ask for each number below *count*; return how often each was answered, and how often an ask failed with a crash."""
    outcomes: Counter[object] = Counter()
    numbers = iter(range(count))

    async def go_on() -> None:
        for number in numbers:
            try:
                outcomes[await ask(number)] += 1
            except ActorCrashedError:
                outcomes["crashed"] += 1

    await asyncio.gather(*(go_on() for _ in range(OPEN)))
    return outcomes


def assert_complete(outcomes: Counter[object], count: int) -> None:
    """Every number was answered once, or its ask has failed once."""
    answers = Counter({n: k for n, k in outcomes.items() if n != "crashed"})
    assert outcomes.total() == count
    assert all(times == 1 for times in answers.values())


@both
async def test_every_ask_is_answered_once_or_fails_once_while_workers_are_killed(
    system: ActorSystem, count: int
) -> None:
    pool = await system.options(size=4).pool(Hand)

    async with beside(kill_some(pool, 0.02 if count == FEW else 0.1)):
        outcomes = await ask_all(lambda n: pool.within(60).ask(Hand.same, n), count)
    await pool.stop()

    assert_complete(outcomes, count)


@both
async def test_with_retries_every_ask_is_answered_while_workers_are_killed(
    system: ActorSystem, count: int
) -> None:
    pool = await system.options(size=4).pool(Hand)
    patient = pool.options(timeout=60, retries=3, redeliver=True)

    async with beside(kill_some(pool, 0.02 if count == FEW else 0.1)):
        outcomes = await ask_all(lambda n: patient.ask(Hand.same, n), count)
    await pool.stop()

    assert outcomes == Counter(range(count))


@both
async def test_recycling_and_kills_lose_nothing(
    system: ActorSystem, count: int
) -> None:
    recycle = Recycle(after_messages=50)
    pool = await system.options(size=4, recycle=recycle).pool(Hand)

    async with beside(kill_some(pool, 0.05)):
        outcomes = await ask_all(lambda n: pool.within(60).ask(Hand.same, n), count)
    await pool.stop()

    assert_complete(outcomes, count)


@pytest.mark.slow
async def test_a_limit_of_memory_and_kills_lose_nothing(system: ActorSystem) -> None:
    recycle = Recycle(above_bytes=64 * 2**20)
    pool = await system.options(size=4, recycle=recycle).pool(Glutton)
    eaten = pool.within(120)

    async with beside(kill_some(pool, 0.1)):
        outcomes = await ask_all(lambda n: eaten.ask(Glutton.eat_for, n), MANY)
    await pool.stop()

    assert_complete(outcomes, MANY)


@both
@pytest.mark.parametrize("routing", ["shared", "least_loaded", "round_robin", HashBy()])
async def test_growing_shrinking_and_kills_lose_nothing(
    system: ActorSystem, count: int, routing: Routing
) -> None:
    pool = await system.options(size=4, routing=routing).pool(Hand)

    async with beside(kill_some(pool, 0.05), grow_and_shrink(pool)):
        outcomes = await ask_all(lambda n: pool.within(60).ask(Hand.same, n), count)
    await pool.stop()

    assert_complete(outcomes, count)


@both
async def test_messages_of_a_key_stay_in_order_whatever_becomes_of_the_workers(
    system: ActorSystem, tmp_path: Path, count: int
) -> None:
    recycle = Recycle(after_messages=200)
    pool = await system.options(size=4, routing=HashBy(), recycle=recycle).pool(
        Keeper, str(tmp_path)
    )
    keys = 20

    async with beside(kill_some(pool, 0.05), grow_and_shrink(pool)):
        for number in range(count):
            await pool.within(60).tell(Keeper.keep, number % keys, number)
            if number % 100 == 0:
                await asyncio.sleep(0)
    await pool.stop()

    kept = [
        [int(line) for line in (tmp_path / str(key)).read_text().split()]
        for key in range(keys)
    ]
    assert all(numbers == sorted(set(numbers)) for numbers in kept)
    assert sum(map(len, kept)) > 0.9 * count
