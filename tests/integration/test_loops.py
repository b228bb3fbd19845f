"""Systems under event loops that are not ours: asyncio's, uvloop's, trio's, and a notebook's, which runs already."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from actors import (
    ActorError,
    ActorRef,
    ActorSystem,
    AskTimeoutError,
    SystemFailedError,
)
from actors.runtime.loop import RingLoop
from tests.support.actors_under_test import Counter, Inbox, Opener
from tests.support.gates import SECONDS, Gate
from tests.support.inside import root_pid

T = TypeVar("T")
LOOPS = ["asyncio", "uvloop", "ours"]

with contextlib.suppress(ImportError):
    # libuv keeps a pipe for signals until the process ends, which no test shall be blamed for.
    importlib.import_module("uvloop").new_event_loop().close()


@pytest.fixture(params=LOOPS)
def run(
    request: pytest.FixtureRequest,
) -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Return a function that runs a coroutine in a loop of one kind."""
    if request.param == "uvloop":
        factory = pytest.importorskip("uvloop").new_event_loop
    else:
        factory = {"asyncio": asyncio.new_event_loop, "ours": RingLoop}[request.param]
    with asyncio.Runner(loop_factory=factory) as runner:
        yield runner.run


def test_a_loop_asks_one_by_one_and_many_at_once(
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    async def main() -> None:
        async with ActorSystem(drain=0) as system:
            counter = await system.spawn(Counter)
            for expected in range(1, 101):
                assert await counter.ask(Counter.add, 1) == expected
            answers = (counter.ask(Counter.add_later, 1) for _ in range(200))
            assert max(await asyncio.gather(*answers)) == 300

    run(main())


@pytest.mark.parametrize("transport", ["shm", "unix"])
def test_a_loop_sends_what_waits_for_room(
    run: Callable[[Coroutine[Any, Any, None]], None], gate: Gate, transport: str
) -> None:
    async def main() -> None:
        async with ActorSystem(drain=0, transport=transport) as system:
            inbox = await system.options(mailbox_bytes=4096).spawn(Inbox)
            blocked = inbox.ask(Inbox.wait_for, gate.path)
            await asyncio.to_thread(gate.wait_until_entered)
            tells = [inbox.tell(Inbox.keep, n, bytes(900)) for n in range(50)]
            assert not tells[-1].done()

            await asyncio.to_thread(gate.open)

            await asyncio.wait_for(tells[-1], SECONDS)
            assert await blocked == "released"
            assert await inbox.ask(Inbox.kept) == list(range(50))

    run(main())


def test_a_loop_gives_up_at_the_deadline_and_hears_events(
    run: Callable[[Coroutine[Any, Any, None]], None], gate: Gate
) -> None:
    async def main() -> None:
        async with ActorSystem(drain=0) as system:
            events = system.events()
            inbox = await system.options(name="inbox").spawn(Inbox)
            blocked = inbox.within(None).ask(Inbox.wait_for, gate.path)
            await asyncio.to_thread(gate.wait_until_entered)
            with pytest.raises(AskTimeoutError):
                await inbox.within(0.01).ask(Inbox.kept)
            await asyncio.to_thread(gate.open)
            await blocked
            await inbox.kill()
            kinds = []
            async for event in events:
                kinds.append(event.kind)
                if event.kind == "child_stopped":
                    break
            assert kinds[:2] == ["child_starting", "child_ready"]

    run(main())


def test_a_loop_is_told_that_the_root_has_died(
    run: Callable[[Coroutine[Any, Any, None]], None], gate: Gate
) -> None:
    async def main() -> None:
        async with ActorSystem(drain=0) as system:
            inbox = await system.spawn(Inbox)
            blocked = inbox.within(None).ask(Inbox.wait_for, gate.path)
            await asyncio.to_thread(gate.wait_until_entered)

            os.kill(root_pid(system), signal.SIGKILL)

            await blocked

    with pytest.raises(SystemFailedError):
        run(main())


def test_trio_waits_in_a_thread() -> None:
    trio = pytest.importorskip("trio")
    totals: list[int] = []

    async def add(counter: ActorRef[Counter]) -> None:
        totals.append(await trio.to_thread.run_sync(counter.ask(Counter.add, 1).result))

    async def main() -> None:
        with ActorSystem(drain=0) as system:
            counter = await trio.to_thread.run_sync(system.spawn(Counter).result)
            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    nursery.start_soon(add, counter)

    trio.run(main)

    assert sorted(totals) == list(range(1, 21))


class Notebook:
    """A loop that runs for ever, and cells that run in it one after the other."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.Thread(target=loop.run_forever)
        self._thread.start()

    def cell(self, body: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return asyncio.run_coroutine_threadsafe(body(), self._loop).result(SECONDS)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(params=["asyncio", "uvloop"])
def notebook(request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """A notebook over one kind of loop."""
    module = pytest.importorskip(request.param)
    running = Notebook(module.new_event_loop())
    yield running
    running.close()


def test_a_notebook_opens_uses_and_closes_a_system_in_different_cells(
    notebook: Notebook,
) -> None:
    system = ActorSystem(drain=0)

    async def open_it() -> None:
        system.start()

    async def use_it() -> int:
        counter = await system.options(name="counter").spawn(Counter)
        return await counter.ask(Counter.add, 1)

    async def use_it_again() -> int:
        counter = await system.lookup("counter", Counter)
        return await counter.ask(Counter.add, 1)

    async def close_it() -> None:
        system.close()

    notebook.cell(open_it)
    assert notebook.cell(use_it) == 1
    assert notebook.cell(use_it_again) == 2
    notebook.cell(close_it)
    with pytest.raises(ActorError):
        notebook.cell(use_it)


def test_a_notebook_joins_a_system_in_one_cell_and_asks_in_the_next(
    notebook: Notebook,
) -> None:
    name = f"notebook-{os.getpid()}"  # another run may have one at the same time
    with ActorSystem(name, drain=0) as owned:
        owned.options(name="counter").spawn(Counter).result()

        async def join() -> ActorSystem:
            return ActorSystem.attach(name)

        attached = notebook.cell(join)

        async def ask() -> int:
            counter = await attached.lookup("counter", Counter)
            return await counter.ask(Counter.add, 1)

        assert notebook.cell(ask) == 1

        async def leave() -> None:
            attached.close()

        notebook.cell(leave)


def test_waiting_in_a_running_loop_is_refused_all_the_same(notebook: Notebook) -> None:
    with ActorSystem(drain=0) as system:

        async def wait() -> object:
            return system.spawn(Counter).result()

        with pytest.raises(RuntimeError, match="await the Pending instead"):
            notebook.cell(wait)


# Several systems, many threads.


def test_a_plain_handler_may_use_a_system_of_its_own() -> None:
    with ActorSystem(drain=0) as system:
        opener = system.spawn(Opener).result()

        assert opener.within(SECONDS).ask(Opener.count_in_another_system).result() == 1


def test_many_threads_ask_through_several_systems_at_once() -> None:
    with ActorSystem("one", drain=0) as one, ActorSystem("two", drain=0) as two:
        counters = [system.spawn(Counter).result() for system in (one, two)]
        failures: list[BaseException] = []

        def work() -> None:
            try:
                for _ in range(100):
                    for counter in counters:
                        counter.ask(Counter.add, 1).result(SECONDS)
            except BaseException as exc:  # noqa: BLE001 - reported by the test
                failures.append(exc)

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert failures == []
        assert [c.ask(Counter.add, 0).result() for c in counters] == [1600, 1600]
