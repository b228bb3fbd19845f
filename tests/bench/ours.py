"""Actors, through the public API, in an asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from actors import ActorCrashedError, ActorRef, ActorSystem, Pending
from tests.bench import measuring
from tests.bench.echo import Echo, Point
from tests.bench.measuring import Cores, Measure, Values, laps
from tests.bench.sender import Sender, tell_batches

SHARED_MEMORY = "/dev/shm"


class OfMain(Point):
    """What a message of a program's own class is: nobody can import it."""


OfMain.__module__ = "__main__"


def in_a_system(
    measure: Callable[[ActorSystem, Cores], Awaitable[Values]], transport: str = "shm"
) -> Measure:
    """Return *measure* with a system of its own."""

    async def main(cores: Cores) -> Values:
        async with ActorSystem("bench", transport=transport) as system:
            return await measure(system, cores)

    return lambda cores: asyncio.run(main(cores))


async def echo_on(system: ActorSystem, core: int | None) -> ActorRef[Echo]:
    echo = await system.spawn(Echo)
    await echo.ask(Echo.run_on, core)
    return echo


async def ask(system: ActorSystem, cores: Cores) -> Values:
    return await ask_one(await echo_on(system, cores.far), cores)


async def ask_one(echo: ActorRef[Echo], cores: Cores) -> Values:
    seconds = []
    with measuring.running_on(cores.near):
        for lap in laps(measuring.WARM_UP):
            await echo.ask(Echo.echo, lap)
        for lap in laps(measuring.ASKS):
            begin = time.perf_counter()
            await echo.ask(Echo.echo, lap)
            seconds.append(time.perf_counter() - begin)
    return measuring.percentiles(seconds)


async def asks(system: ActorSystem, cores: Cores) -> Values:
    echo = await echo_on(system, cores.far)
    done = 0
    with measuring.running_on(cores.near):
        begin = time.perf_counter()
        waiting: deque[Pending[int]] = deque(
            echo.ask(Echo.echo, lap) for lap in range(measuring.OUTSTANDING)
        )
        for lap in laps(measuring.MANY_ASKS):
            await waiting.popleft()
            waiting.append(echo.ask(Echo.echo, lap))
            done += 1
        for pending in waiting:
            await pending
            done += 1
        return {"asks_per_s_100": done / (time.perf_counter() - begin)}


async def tell(system: ActorSystem, cores: Cores) -> Values:
    echo = await echo_on(system, cores.far)
    with measuring.running_on(cores.near):
        begin = time.perf_counter()
        await tell_batches(echo, measuring.TELLS)
        counted = await echo.ask(Echo.count)
        return {"tell_per_s_1to1": counted / (time.perf_counter() - begin)}


async def tell_objects(system: ActorSystem, cores: Cores) -> Values:
    """Compare a class that actors import with one that they get from us, in turns and by our own CPU time."""
    echo = await echo_on(system, cores.far)
    spent = {Point: 0.0, OfMain: 0.0}
    with measuring.running_on(cores.near):
        for _ in laps(measuring.TELLS // measuring.BATCH):
            for kind, seconds in spent.items():
                begin = time.process_time()
                for number in range(measuring.BATCH - 1):
                    echo.tell(Echo.see, kind(number))
                await echo.tell(Echo.see, kind(measuring.BATCH))
                spent[kind] = seconds + time.process_time() - begin
        await echo.ask(Echo.count)
    return {"main_class_ratio": spent[OfMain] / spent[Point]}


async def tell_from_many(system: ActorSystem, cores: Cores) -> Values:
    echo = await echo_on(system, cores.far)
    senders = [await system.spawn(Sender) for _ in range(measuring.SENDERS)]
    for sender in senders:
        await sender.ask(Sender.run_on, cores.near)
    each = measuring.TELLS // measuring.SENDERS
    begin = time.perf_counter()
    await asyncio.gather(*(sender.ask(Sender.send, echo, each) for sender in senders))
    counted = await echo.ask(Echo.count)
    return {"tell_per_s_4to1": counted / (time.perf_counter() - begin)}


async def spawn(system: ActorSystem, _: Cores) -> Values:
    seconds = []
    for lap in laps(measuring.STARTS):
        begin = time.perf_counter()
        echo = await system.spawn(Echo)
        await echo.ask(Echo.echo, lap)
        seconds.append(time.perf_counter() - begin)
        await echo.kill()
    return measuring.median_ms("spawn_ms", seconds)


async def recover(system: ActorSystem, _: Cores) -> Values:
    seconds = []
    for _lap in laps(measuring.STARTS):
        echo = await system.spawn(Echo)
        pid = await echo.ask(Echo.pid)
        begin = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        await answered_by_another(echo, pid)
        seconds.append(time.perf_counter() - begin)
        await echo.kill()
    return measuring.median_ms("recover_ms", seconds)


async def answered_by_another(echo: ActorRef[Echo], pid: int) -> None:
    """Ask until a process other than *pid*, which is being killed, has answered."""
    answer = pid
    while answer == pid:
        # A process that was awake may take the message, or even answer it, before it dies.
        with contextlib.suppress(ActorCrashedError):
            answer = await echo.ask(Echo.pid)


def large(cores: Cores, transport: str = "shm") -> Values:
    """Send a buffer, which an array has inside, in asks that return None."""
    values: dict[str, float] = {}
    system = ActorSystem("bench", transport=transport)
    with system, measuring.running_on(cores.near):
        echo = system.spawn(Echo).result()
        echo.ask(Echo.run_on, cores.far).result()
        for row, mib in measuring.LARGE_MIB.items():
            message = pickle.PickleBuffer(measuring.large_message(mib))

            def pass_on(message: pickle.PickleBuffer = message) -> None:
                echo.ask(Echo.look, message).result()

            values |= measuring.gigabytes_per_second(row, mib, pass_on)
    return values


def memory(_: Cores) -> Values:
    """Measure processes, and what an actor has in shared memory: its mailbox, lane and status page."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=SHARED_MEMORY) as base:
        return asyncio.run(_memory(Path(base)))


async def _memory(base: Path) -> Values:
    async with ActorSystem("bench", directory=base) as system:
        before = _bytes_in(base)
        echoes = [await system.spawn(Echo) for _ in range(measuring.IDLE)]
        pids = [await echo.ask(Echo.pid) for echo in echoes]
        shared = (_bytes_in(base) - before) / measuring.IDLE
        return {**measuring.pss_mib(pids), "mailbox_mib": shared / 2**20}


def _bytes_in(folder: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


MEASURES = {
    "ask": in_a_system(ask),
    "asks": in_a_system(asks),
    "tell": in_a_system(tell),
    "tell_objects": in_a_system(tell_objects),
    "tell_from_many": in_a_system(tell_from_many),
    "spawn": in_a_system(spawn),
    "recover": in_a_system(recover),
    "large": large,
    "memory": memory,
}


def over(transport: str) -> dict[str, Measure]:
    """Return the measures of messages, which may differ between transports."""
    found = {
        "ask": ask,
        "asks": asks,
        "tell": tell,
        "tell_from_many": tell_from_many,
    }
    return {
        **{name: in_a_system(each, transport) for name, each in found.items()},
        "large": lambda cores: large(cores, transport),
    }
