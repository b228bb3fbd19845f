"""Pools: ours, ``concurrent.futures.ProcessPoolExecutor`` on the same tasks, and processes that are told nothing."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.synchronize import Semaphore

from actors import ActorSystem, Pending, Pool
from tests.bench import measuring
from tests.bench.echo import Echo
from tests.bench.measuring import Cores, Measure, Values, laps

WORKERS = 4


async def start(system: ActorSystem) -> Values:
    """Measure from the call to the answers of all workers."""
    seconds = []
    for lap in laps(measuring.STARTS):
        begin = time.perf_counter()
        pool = await system.options(size=WORKERS).pool(Echo)
        await pool.broadcast(Echo.echo, lap)
        seconds.append(time.perf_counter() - begin)
        await pool.stop()
    return measuring.median_ms("pool_start_ms", seconds)


async def calls(pool: Pool[Echo]) -> Values:
    """Measure tasks that do nothing, one in each message."""
    begin = time.perf_counter()
    done = 0
    waiting: deque[Pending[int]] = deque()
    for lap in laps(measuring.POOL_CALLS):
        if len(waiting) >= measuring.POOL_OUTSTANDING:
            await waiting.popleft()
            done += 1
        waiting.append(pool.ask(Echo.echo, lap))
    for pending in waiting:
        await pending
        done += 1
    return {"pool_calls_per_s": done / (time.perf_counter() - begin)}


async def items(pool: Pool[Echo]) -> Values:
    """Measure tasks that do nothing, as ``map`` sends them."""
    begin = time.perf_counter()
    numbers = laps(measuring.POOL_ITEMS)
    results = pool.map(Echo.echo, numbers, in_flight=measuring.POOL_IN_FLIGHT)
    done = 0
    async for _ in results:
        done += 1
    return {"pool_items_per_s": done / (time.perf_counter() - begin)}


async def work(pool: Pool[Echo]) -> Values:
    """Measure tasks that compute."""
    begin = time.perf_counter()
    count = measuring.POOL_TASKS
    async for _ in pool.map(Echo.work, [measuring.POOL_TASK_SECONDS] * count):
        pass
    return {"pool_work_s": time.perf_counter() - begin}


def in_a_pool(measure: Callable[[Pool[Echo]], Awaitable[Values]]) -> Measure:
    """Return *measure* with a pool of its own."""

    async def main() -> Values:
        async with ActorSystem("bench") as system:
            pool = await system.options(size=WORKERS).pool(Echo)
            return await measure(pool)

    return lambda _: asyncio.run(main())


def started(_: Cores) -> Values:
    async def main() -> Values:
        async with ActorSystem("bench") as system:
            return await start(system)

    return asyncio.run(main())


OURS = {
    "pool_start": started,
    "pool_calls": in_a_pool(calls),
    "pool_items": in_a_pool(items),
    "pool_work": in_a_pool(work),
}


# The same with the standard library.


def echo(number: int) -> int:
    """Return what came."""
    return number


def compute(seconds: float) -> None:
    """Use the processor for *seconds*."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def executor() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(WORKERS, multiprocessing.get_context("fork"))


def standard_start(_: Cores) -> Values:
    seconds = []
    for _lap in laps(measuring.STARTS):
        begin = time.perf_counter()
        with executor() as pool:
            list(pool.map(echo, range(WORKERS)))
            seconds.append(time.perf_counter() - begin)
    return measuring.median_ms("pool_start_ms", seconds)


def standard_calls(_: Cores) -> Values:
    with executor() as pool:
        list(pool.map(echo, range(WORKERS)))
        begin = time.perf_counter()
        done = 0
        waiting: deque[Future[int]] = deque()
        for lap in laps(measuring.POOL_CALLS):
            if len(waiting) >= measuring.POOL_OUTSTANDING:
                waiting.popleft().result()
                done += 1
            waiting.append(pool.submit(echo, lap))
        for future in waiting:
            future.result()
            done += 1
        return {"pool_calls_per_s": done / (time.perf_counter() - begin)}


def standard_items(_: Cores) -> Values:
    with executor() as pool:
        list(pool.map(echo, range(WORKERS)))
        begin = time.perf_counter()
        chunk = measuring.POOL_IN_FLIGHT // (2 * WORKERS)
        # It takes all items before it gives a result, so there is no end to an early one.
        count = measuring.POOL_ITEMS // 4
        done = sum(1 for _ in pool.map(echo, range(count), chunksize=chunk))
        return {"pool_items_per_s": done / (time.perf_counter() - begin)}


def standard_work(_: Cores) -> Values:
    with executor() as pool:
        list(pool.map(echo, range(WORKERS)))
        begin = time.perf_counter()
        tasks = [measuring.POOL_TASK_SECONDS] * measuring.POOL_TASKS
        list(pool.map(compute, tasks))
        return {"pool_work_s": time.perf_counter() - begin}


STANDARD = {
    "pool_start": standard_start,
    "pool_calls": standard_calls,
    "pool_items": standard_items,
    "pool_work": standard_work,
}


# What the machine can do at all: nobody says who does what.


def compute_many(ready: Semaphore, start: Semaphore, count: int) -> None:
    """Compute *count* tasks when everybody is there."""
    ready.release()
    start.acquire()
    for _ in range(count):
        compute(measuring.POOL_TASK_SECONDS)


def bare_work(_: Cores) -> Values:
    """Measure four processes that have an equal share of the tasks each, and know it."""
    context = multiprocessing.get_context("fork")
    # No barrier, whose memory would stay with us.
    ready, start = context.Semaphore(0), context.Semaphore(0)
    count = measuring.POOL_TASKS // WORKERS
    processes = [
        context.Process(target=compute_many, args=(ready, start, count))
        for _ in range(WORKERS)
    ]
    for process in processes:
        process.start()
    for _process in processes:
        ready.acquire()
    begin = time.perf_counter()
    for _process in processes:
        start.release()
    for process in processes:
        process.join()
    return {"pool_work_s": time.perf_counter() - begin}


BARE = {"pool_work": bare_work}
