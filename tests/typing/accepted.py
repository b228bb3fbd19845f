"""Uses of the API that a checker has to accept, with the types it has to see; checked, never run."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from typing import Any, assert_type

import actors
from actors import (
    Actor,
    ActorRef,
    ActorSystem,
    Autoscale,
    Down,
    Event,
    Executor,
    Exit,
    ExitReason,
    HashBy,
    Heartbeat,
    ItemError,
    Link,
    Notice,
    Pending,
    PoisonMessage,
    Pool,
    Recycle,
    Redeliver,
    Terminated,
    Up,
    Watch,
    WorkerStats,
)
from actors.supervision.backoff import Backoff
from actors.supervision.spec import ChildSpec, SupervisorSpec, options
from tests.typing.actor_classes import Adder, Counter, Greeter, LoudCounter


async def results(counter: ActorRef[Counter]) -> None:
    assert_type(counter.ask(Counter.add, 1), Pending[int])
    assert_type(counter.ask(Counter.add_later, 1, delay=0.1), Pending[int])
    assert_type(await counter.ask(Counter.add, amount=1), int)
    assert_type(await counter.ask(Counter.add_later, 1), int)
    assert_type(counter.ask(Counter.add, 1).result(), int)
    assert_type(counter.ask(Counter.add_later, 1).result(timeout=2), int)
    assert_type(counter.ask(Counter.add, 1).done(), bool)


def shared_objects(system: ActorSystem, table: bytearray) -> None:
    assert_type(system.share(table), bytearray)
    assert_type(system.share({"a": (table, 1)}), dict[str, tuple[bytearray, int]])


async def annotated_pendings(counter: ActorRef[Counter]) -> int:
    plain: Pending[int] = counter.ask(Counter.add, 1)
    waiting: Pending[int] = counter.ask(Counter.add_later, 1)
    wider: Pending[float] = plain
    told: Pending[None] = counter.tell(Counter.add, 1)
    await told
    return await plain + await waiting + round(await wider)


async def waiting_with_asyncio(counter: ActorRef[Counter]) -> None:
    first, second = await asyncio.gather(
        counter.ask(Counter.add, 1), counter.ask(Counter.add_later, 2)
    )
    assert_type(first, int)
    assert_type(second, int)
    many = await asyncio.gather(*(counter.ask(Counter.add, i) for i in range(9)))
    assert_type(many, list[int])
    assert_type(await asyncio.wait_for(counter.ask(Counter.add, 1), 1.0), int)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(counter.ask(Counter.add_later, 1))
    assert_type(task.result(), int)
    async with asyncio.timeout(1.0):
        await asyncio.shield(counter.ask(Counter.add, 1))


def tells(counter: ActorRef[Counter]) -> None:
    counter.tell(Counter.add, 1)
    counter.tell(Counter.add_later, 1, delay=0.5)
    counter.within(None).tell(Counter.add, amount=1)


async def deadlines(counter: ActorRef[Counter]) -> None:
    assert_type(counter.within(0.5), ActorRef[Counter])
    assert_type(await counter.within(1).ask(Counter.add, 1), int)


async def marked_handlers(counter: ActorRef[Counter]) -> None:
    assert_type(await counter.ask(Counter.add_or_crash, 1), int)
    assert_type(await counter.ask(Counter.add_later_or_crash, amount=1), int)


async def covariant_refs(loud: ActorRef[LoudCounter]) -> None:
    counter: ActorRef[Counter] = loud
    refs: list[ActorRef[Counter]] = [counter, loud]
    assert_type(await refs[1].ask(Counter.add, 1), int)
    assert_type(await loud.ask(Counter.add, 1), int)
    assert_type(await loud.ask(LoudCounter.shout), str)


async def protocols(counter: ActorRef[Counter]) -> None:
    adder: ActorRef[Adder] = counter
    assert_type(await adder.ask(Adder.add, 1), int)
    adder.tell(Adder.add, 1)


async def refs_in_messages(
    counter: ActorRef[Counter], loud: ActorRef[LoudCounter], greeter: ActorRef[Greeter]
) -> None:
    await greeter.ask(Greeter.befriend, counter)
    greeter.tell(Greeter.befriend, friend=loud)


async def systems() -> None:
    async with ActorSystem("shop", transport="unix", drain=1.0) as system:
        counter = await system.spawn(Counter, 10, step=2)
        assert_type(counter, ActorRef[Counter])
        greeter = await system.spawn(Greeter, counter)
        assert_type(greeter, ActorRef[Greeter])
        settings = system.options(
            name="counter",
            transport="shm",
            restart="permanent",
            intensity=5,
            period=1,
            shutdown=0.5,
            init_timeout=10,
            mailbox_bytes=65536,
        )
        assert_type(await settings.spawn(Counter, 10), ActorRef[Counter])
        found = await system.lookup("counter", Counter)
        assert_type(found, ActorRef[Counter])
        assert_type(await found.ended(), ExitReason)
        async for event in system.events():
            assert_type(event, Event)
        assert_type(await system.events().next(), Event)
        counter = await system.spawn(Counter, 1)
        async for end in system.watch(counter):
            assert_type(end, Terminated)
        close = system.watch(counter, level="incarnation")
        assert_type(await close.next(), Down | Up | Terminated)
        both = await asyncio.gather(system.spawn(Counter), system.spawn(Greeter))
        assert_type(both, tuple[ActorRef[Counter], ActorRef[Greeter]])


def systems_without_a_loop() -> int:
    with ActorSystem() as system:
        assert_type(system, ActorSystem)
        counter = system.spawn(Counter).result()
        assert_type(counter, ActorRef[Counter])
        return counter.ask(Counter.add, 1).result(timeout=2)


def specifications() -> None:
    settings = options(
        name="counter",
        restart="transient",
        shutdown="brutal_kill",
        backoff=Backoff(min=0.5),
        on_crash=Redeliver(3),
    )
    counter = settings.child(LoudCounter, 10, step=2)
    assert_type(counter, ChildSpec[LoudCounter])
    assert_type(counter.ref, ActorRef[LoudCounter])
    plain: ChildSpec[Counter] = counter
    greeter = options(id="greeter").child(Greeter, counter.ref)
    tree = options(id="all", strategy="rest_for_one", intensity=5)
    assert_type(tree.supervisor(plain, greeter), SupervisorSpec)


async def ends(counter: ActorRef[Counter]) -> None:
    await counter.restart()
    await counter.stop()
    counter.kill()
    assert_type(counter.ended().result(), ExitReason)


async def control(system: ActorSystem, counter: ActorRef[Counter]) -> None:
    await counter.signal(signal.SIGHUP)
    await counter.freeze()
    await counter.thaw()
    assert_type(await counter.stack(), str)
    await counter.limit(nice=5, cpus={0}, max_memory_bytes=None)
    limited = system.options(
        handler_timeout=2,
        heartbeat=Heartbeat(timeout=10),
        on_crash=Redeliver(3),
        max_open_files=100,
    )
    assert_type(await limited.spawn(Counter), ActorRef[Counter])
    for message in await system.quarantine.messages():
        assert_type(message, PoisonMessage)
        await system.quarantine.replay(message)


async def pools(system: ActorSystem, numbers: AsyncIterator[int]) -> None:
    recycle = Recycle(after_messages=1000, above_bytes=2**30)
    options = system.options(size=4, recycle=recycle, autoscale=Autoscale(max=8))
    pool = await options.pool(Counter, 10)
    assert_type(pool, Pool[Counter])
    assert_type(await pool.ask(Counter.add, 1), int)
    assert_type(await pool.within(1).ask(Counter.add_later, 1), int)
    await pool.tell(Counter.add, 1)
    assert_type(await pool.broadcast(Counter.add_later, 1), list[int])
    patient = pool.options(timeout=1, retries=3, retry_on=(KeyError,), redeliver=True)
    assert_type(patient, Pool[Counter])
    async for total in patient.map(Counter.add, range(9), in_flight=8):
        assert_type(total, int)
    async for total in pool.map(Counter.add_later, numbers, ordered=False):
        assert_type(total, int)
    for outcome in pool.map(Counter.add, [1], return_exceptions=True):
        assert_type(outcome, int | ItemError)
    await pool.resize(2)
    await pool.drain()
    assert_type(pool.stats().workers, tuple[WorkerStats, ...])
    assert_type(pool.workers, tuple[ActorRef[Counter], ...])
    await pool.stop()
    keyed = system.options(size=4, routing=HashBy(lambda amount: f"{amount}"))
    assert_type(keyed.pool(Counter, 1).result(), Pool[Counter])
    system.options(size=4, routing=lambda workers, _args, _kwargs: workers[0])


class Gateway(Actor):
    def __init__(self, url: str) -> None:
        self.url = url
        self.pending = 0
        assert_type(self.system, ActorSystem)
        self.on_signal(signal.SIGHUP, Gateway.reload)
        self.flushing = self.every(1.0, Gateway.flush, limit=10)
        self.after(0.5, Gateway.poll, "now")
        self.start_task(self.poll("task"))
        watch = self.watch(self.ref, Gateway.down)
        self.watch(self.ref, Gateway.heard, level="incarnation")
        self.watch(self.ref, Gateway.heard)
        assert_type(watch, Watch)
        watch.cancel()
        self.link(self.ref)
        assert_type(self.link(self.ref, Gateway.lost), Link)

    async def on_start(self) -> None:
        me: ActorRef[Gateway] = self.ref
        me.tell(Gateway.flush, 1)
        self.ref.tell(Gateway.reload)
        counter = await self.system.spawn(Counter, 1)
        self.pending = await counter.ask(Counter.add, 1)

    def reload(self) -> None:
        self.flushing.cancel()
        self.stop()

    def down(self, end: Terminated) -> None:
        assert_type(end.reason, ExitReason)
        assert_type(end.ref, ActorRef[Any])

    async def heard(self, notice: Notice) -> None:
        if isinstance(notice, Down) and notice.will_restart:
            assert_type(notice.delay, float)

    def lost(self, end: Exit) -> None:
        assert_type(end.reason, ExitReason)

    def flush(self, limit: int) -> int:
        return limit - self.pending

    async def poll(self, why: str) -> str:
        return why


def run_mode() -> int:
    async def main() -> int:
        async with ActorSystem() as system:
            counter = await system.spawn(Counter)
            return await counter.ask(Counter.add, 1)

    return actors.run(main)


async def fetched(word: str) -> int:
    return len(word)


def executors(system: ActorSystem) -> None:
    executor = Executor(2, system=system, max_memory_bytes=2**30)
    assert_type(executor.submit(len, "word"), Future[int])
    assert_type(executor.within(1.5).submit(str, 5), Future[str])
    assert_type(executor.submit(fetched, "word"), Future[int])
    assert_type(executor.map(len, ["word"], chunksize=2), Iterator[int])
    assert_type(executor.map(fetched, ["word"]), Iterator[int])
