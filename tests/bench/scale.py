"""A thousand actors at once: how long they take, what they take, and what the idle ones cost the others.

No row of the table: it takes long, and no peer has as many processes.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from actors import ActorRef, ActorSystem
from tests.bench import measuring, ours
from tests.bench.echo import Echo
from tests.bench.measuring import Cores, Values
from tests.support.inside import root_pid

AT_ONCE = 50  # whose starting overlaps
IDLE_SECONDS = 10.0


def measure(count: int) -> Values:
    """Return the figures for *count* actors."""
    return asyncio.run(_measure(count))


async def _measure(count: int) -> Values:
    async with ActorSystem("bench-scale") as system:
        first = await system.spawn(Echo)
        alone = await _ask_us(first)
        begin = time.perf_counter()
        pids = [await first.ask(Echo.pid), *await _spawn(system, count - 1)]
        spawned = time.perf_counter() - begin
        among = await _ask_us(first)
        pss = measuring.pss_mib(pids)["pss_mib"]
        idle = await _cpu_while_idle([*pids, root_pid(system)])
        begin = time.perf_counter()
    return {
        "spawn_all_s": spawned,
        "stop_all_s": time.perf_counter() - begin,
        "pss_mib": pss,
        "ask_us_p50_alone": alone,
        "ask_us_p50_among_all": among,
        "idle_cpu_ms_per_s": idle,
    }


async def _spawn(system: ActorSystem, count: int) -> list[int]:
    """Return the processes of *count* actors, each of which has answered."""
    pids: list[int] = []
    while len(pids) < count:
        batch = min(AT_ONCE, count - len(pids))
        pids += await asyncio.gather(*(_pid_of_new(system) for _ in range(batch)))
    return pids


async def _pid_of_new(system: ActorSystem) -> int:
    echo = await system.spawn(Echo)
    return await echo.ask(Echo.pid)


async def _ask_us(echo: ActorRef[Echo]) -> float:
    return (await ours.ask_one(echo, Cores()))["ask_us_p50"]


async def _cpu_while_idle(pids: list[int]) -> float:
    """Return the milliseconds that all *pids* together run in a second."""
    before = sum(map(_cpu_ns, pids))
    await asyncio.sleep(IDLE_SECONDS)
    return (sum(map(_cpu_ns, pids)) - before) / 1e6 / IDLE_SECONDS


def _cpu_ns(pid: int) -> int:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
