"""Waiting for answers: in scripts, coroutines, threads and handlers, and giving up on them."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from actors import ActorRef, ActorSystem, AskTimeoutError, Pending
from actors.errors import OptionError
from actors.runtime.loop import RingLoop
from actors.runtime.waiting import Waiting
from actors.timeout import MAX_TIMEOUT
from tests.support.actors_under_test import Blocker, Counter, Inbox, Proxy, Trouble
from tests.support.gates import SECONDS, Gate, wait_until

LOOPS = {"asyncio": asyncio.SelectorEventLoop, "ours": RingLoop}


@pytest.fixture
def counter(system: ActorSystem) -> ActorRef[Counter]:
    return system.spawn(Counter).result()


@pytest.fixture
def held(
    system: ActorSystem, gate: Gate
) -> Iterator[tuple[ActorRef[Inbox], Pending[str]]]:
    """An actor that is held up at the gate, and the ask that does it."""
    inbox = system.spawn(Inbox).result()
    pending = inbox.within(None).ask(Inbox.wait_for, gate.path)
    gate.wait_until_entered()
    yield inbox, pending
    if not pending.done():
        gate.open()
        pending.result(SECONDS)


# Where one may wait.


def test_a_script_waits_with_result(counter: ActorRef[Counter]) -> None:
    assert [counter.ask(Counter.add, 1).result() for _ in range(100)] == list(
        range(1, 101)
    )


@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_a_coroutine_awaits_on_any_loop(
    counter: ActorRef[Counter], make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def main() -> list[int]:
        return [await counter.ask(Counter.add, 1) for _ in range(100)]

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(main()) == list(range(1, 101))


@pytest.mark.parametrize("threads", [1, 8])
def test_threads_wait_beside_each_other(
    system: ActorSystem, counter: ActorRef[Counter], threads: int
) -> None:
    def work(_: int) -> list[int]:
        own = system.spawn(Counter).result(SECONDS)
        counter.tell(Counter.add, 1)
        return [own.within(SECONDS).ask(Counter.add, 1).result() for _ in range(200)]

    with ThreadPoolExecutor(threads) as pool:
        totals = list(pool.map(work, range(threads)))

    assert totals == [list(range(1, 201))] * threads
    assert counter.ask(Counter.add, 0).result() == threads


@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_threads_wait_beside_a_running_loop(
    system: ActorSystem, make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    def work(ref: ActorRef[Counter]) -> list[int]:
        return [ref.within(SECONDS).ask(Counter.add, 1).result() for _ in range(200)]

    async def main() -> list[list[int]]:
        refs = await asyncio.gather(*(system.spawn(Counter) for _ in range(4)))
        threads = [asyncio.to_thread(work, ref) for ref in refs[1:]]
        return await asyncio.gather(*threads, work_here(refs[0]))

    async def work_here(ref: ActorRef[Counter]) -> list[int]:
        return [await ref.within(SECONDS).ask(Counter.add, 1) for _ in range(200)]

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(main()) == [list(range(1, 201))] * 4


@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_a_thread_is_answered_beside_a_loop_that_sleeps(
    counter: ActorRef[Counter], make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def main() -> int:
        await counter.ask(Counter.add, 1)  # from now on the loop looks at the lane
        return await asyncio.to_thread(
            lambda: counter.within(SECONDS).ask(Counter.add, 1).result()
        )

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(main()) == 2


@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_a_coroutine_awaits_what_another_thread_asked(
    counter: ActorRef[Counter], make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def main() -> int:
        pending = await asyncio.to_thread(lambda: counter.ask(Counter.add, 5))
        return await pending

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(main()) == 5


def test_two_loops_in_two_threads_await_at_the_same_time(system: ActorSystem) -> None:
    async def main() -> list[int]:
        ref = await system.spawn(Counter)
        return [await ref.within(SECONDS).ask(Counter.add, 1) for _ in range(300)]

    with ThreadPoolExecutor(2) as pool:
        totals = list(pool.map(lambda _: asyncio.run(main()), range(2)))

    assert totals == [list(range(1, 301))] * 2


@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_a_loop_starts_while_a_thread_waits(
    held: tuple[ActorRef[Inbox], Pending[str]],
    gate: Gate,
    counter: ActorRef[Counter],
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    _, pending = held
    has_begun = threading.Event()

    def wait() -> str:
        has_begun.set()
        return pending.result(SECONDS)

    async def main() -> list[int]:
        ref = counter.within(SECONDS)
        return [await ref.ask(Counter.add, 1) for _ in range(500)]

    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(wait)
        has_begun.wait()
        with asyncio.Runner(loop_factory=make_loop) as runner:
            totals = runner.run(main())
        gate.open()

        assert waiter.result() == "released"
    assert totals == list(range(1, 501))


def test_our_own_loop_starts_while_another_one_waits(
    system: ActorSystem, held: tuple[ActorRef[Inbox], Pending[str]], gate: Gate
) -> None:
    _, pending = held
    has_begun = threading.Event()

    async def wait() -> str:
        has_begun.set()
        return await pending

    async def main() -> list[int]:
        ref = (await system.spawn(Counter)).within(SECONDS)
        return [await ref.ask(Counter.add, 1) for _ in range(500)]

    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(asyncio.run, wait())
        has_begun.wait()
        with asyncio.Runner(loop_factory=RingLoop) as runner:
            totals = runner.run(main())
            gate.open()

        assert waiter.result() == "released"
    assert totals == list(range(1, 501))


def test_a_loop_that_started_beside_our_own_outlives_it(
    system: ActorSystem, held: tuple[ActorRef[Inbox], Pending[str]], gate: Gate
) -> None:
    _, pending = held
    has_begun = threading.Event()

    async def wait() -> str:
        waiting = asyncio.ensure_future(pending)
        await asyncio.sleep(0)
        has_begun.set()
        return await waiting

    async def main() -> None:
        await system.spawn(Counter)
        waiters.append(pool.submit(asyncio.run, wait()))
        await asyncio.to_thread(has_begun.wait)

    waiters: list[Future[str]] = []
    with ThreadPoolExecutor(1) as pool:
        with asyncio.Runner(loop_factory=RingLoop) as runner:
            runner.run(main())
        gate.open()

        assert waiters[0].result() == "released"


def test_one_loop_after_the_other_can_use_the_same_system(
    counter: ActorRef[Counter],
) -> None:
    async def main() -> int:
        return await counter.ask(Counter.add, 1)

    assert [asyncio.run(main()) for _ in range(3)] == [1, 2, 3]
    assert counter.ask(Counter.add, 1).result() == 4


def test_loops_that_have_ended_leave_no_descriptor_behind(
    held: tuple[ActorRef[Inbox], Pending[str]], open_descriptors: Callable[[], int]
) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):  # the deadline of the ask is still to come
            await asyncio.wait_for(held[0].within(60).ask(Inbox.kept), 0.005)

    asyncio.run(main())
    before = open_descriptors()
    for _ in range(5):
        asyncio.run(main())

    assert open_descriptors() <= before


def test_what_one_loop_asked_can_be_awaited_in_the_next(
    held: tuple[ActorRef[Inbox], Pending[str]], gate: Gate
) -> None:
    _, pending = held

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pending, 0.01)

    async def main() -> str:
        await asyncio.to_thread(gate.open)
        return await pending

    asyncio.run(give_up())
    assert asyncio.run(main()) == "released"


def test_a_plain_handler_waits_with_result(
    system: ActorSystem, counter: ActorRef[Counter]
) -> None:
    proxy = system.spawn(Proxy, counter).result()

    assert [proxy.ask(Proxy.add, 1).result() for _ in range(50)] == list(range(1, 51))


def test_an_async_handler_awaits(
    system: ActorSystem, counter: ActorRef[Counter]
) -> None:
    proxy = system.spawn(Proxy, counter).result()

    assert [proxy.ask(Proxy.add_async, 1).result() for _ in range(50)] == list(
        range(1, 51)
    )


def test_an_actor_waits_for_actors_it_looked_up_and_spawned(
    system: ActorSystem, counter: ActorRef[Counter]
) -> None:
    proxy = system.spawn(Proxy, counter).result()
    system.options(name="looked-up").spawn(Counter, 3).result()

    spawned = proxy.ask(Proxy.spawn_one).result()

    assert proxy.ask(Proxy.look_up, "looked-up").result() == 3
    assert spawned.ask(Counter.add, 1).result() == 8


# Where one may not.


async def test_result_in_a_coroutine_says_to_await(counter: ActorRef[Counter]) -> None:
    pending = counter.within(SECONDS).ask(Counter.add, 1)
    if not pending.done():
        with pytest.raises(RuntimeError, match="await the Pending instead"):
            pending.result()

    assert await pending == 1


def test_result_in_the_coroutine_of_an_actor_says_to_await(
    system: ActorSystem, counter: ActorRef[Counter]
) -> None:
    proxy = system.spawn(Proxy, counter).result()

    with pytest.raises(RuntimeError, match="await the Pending instead"):
        proxy.ask(Proxy.block_in_coroutine).result()

    assert proxy.ask(Proxy.add, 1).result() == 2


# Giving up.


def test_the_timeout_of_result_only_stops_waiting(
    held: tuple[ActorRef[Inbox], Pending[str]], gate: Gate
) -> None:
    _, pending = held

    with pytest.raises(TimeoutError, match=r"no result within 0\.02 s"):
        pending.result(timeout=0.02)

    assert not pending.done()
    gate.open()
    assert pending.result(SECONDS) == "released"


def test_result_with_timeout_zero_takes_what_is_there(
    counter: ActorRef[Counter], held: tuple[ActorRef[Inbox], Pending[str]]
) -> None:
    done = counter.ask(Counter.add, 1)
    done.result()

    assert done.result(timeout=0) == 1
    with pytest.raises(TimeoutError):
        held[1].result(timeout=0)


@pytest.mark.parametrize("timeout", [math.nan, "1", [2]], ids=repr)
def test_a_timeout_of_result_that_makes_no_sense_is_refused(
    counter: ActorRef[Counter], timeout: float
) -> None:
    """It was a ``TypeError`` about something else, or had passed at once."""
    with pytest.raises(OptionError, match=r"timeout=.*or None to wait"):
        counter.ask(Counter.add, 1).result(timeout)


def test_within_bounds_the_ask_and_says_so(
    held: tuple[ActorRef[Inbox], Pending[str]],
) -> None:
    inbox, _ = held

    with pytest.raises(AskTimeoutError) as caught:
        inbox.within(0.02).ask(Inbox.kept).result()

    assert isinstance(caught.value, TimeoutError)
    assert caught.value.timeout == 0.02
    text = f"{inbox.name} did not answer Inbox.kept within 0.02 s: "
    assert str(caught.value).startswith(text)


async def test_within_bounds_an_awaited_ask(
    held: tuple[ActorRef[Inbox], Pending[str]],
) -> None:
    inbox, _ = held

    with pytest.raises(AskTimeoutError):
        await inbox.within(0.02).ask(Inbox.kept)


async def test_a_nearer_deadline_comes_before_a_farther_one(
    held: tuple[ActorRef[Inbox], Pending[str]],
) -> None:
    inbox, _ = held
    far = inbox.within(60).ask(Inbox.kept)

    near = await asyncio.gather(
        *(inbox.within(seconds).ask(Inbox.kept) for seconds in (0.03, 0.01, 0.02)),
        return_exceptions=True,
    )

    assert [type(error) for error in near] == [AskTimeoutError] * 3
    assert not far.done()


@pytest.fixture
def overdue_between(
    system: ActorSystem, held: tuple[ActorRef[Inbox], Pending[str]]
) -> Iterator[ActorRef[Inbox]]:
    """An actor whose questions are on their way while another thread sees to what is overdue."""
    client = system._opened()
    pack, questions = client.outgoing.pack, client.questions

    def expire_and_pack(*args: Any) -> tuple[bytes, bytes, bytes]:  # noqa: ANN401 - whatever there is
        questions.next_deadline_ns = 1
        questions.expire([])
        return pack(*args)

    client.outgoing.pack = expire_and_pack  # type: ignore[assignment, method-assign]
    yield held[0]
    client.outgoing.pack = pack  # type: ignore[method-assign]


def test_a_deadline_holds_whatever_other_threads_do_before_the_ask_is_sent(
    overdue_between: ActorRef[Inbox],
) -> None:
    """It was forgotten: who waited, waited for ever."""
    asked = overdue_between.within(0.1).ask(Inbox.kept)

    with pytest.raises(AskTimeoutError, match=r"within 0\.1 s"):
        asked.result(SECONDS)


@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_an_awaited_deadline_holds_whatever_other_threads_do_before_the_ask_is_sent(
    overdue_between: ActorRef[Inbox], make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def main() -> None:
        await overdue_between.within(0.1).ask(Inbox.kept)

    with (
        asyncio.Runner(loop_factory=make_loop) as runner,
        pytest.raises(AskTimeoutError, match=r"within 0\.1 s"),
    ):
        runner.run(asyncio.wait_for(main(), SECONDS))


def test_a_deadline_holds_while_what_is_looked_for_comes_all_the_time(
    held: tuple[ActorRef[Inbox], Pending[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as a backlog found room, and went on, nothing was overdue."""
    inbox, _ = held
    monkeypatch.setattr(Waiting, "_look", lambda _: True)

    with pytest.raises(AskTimeoutError):
        inbox.within(0.02).ask(Inbox.kept).result(1)


def test_a_deadline_of_zero_has_passed_at_once(
    held: tuple[ActorRef[Inbox], Pending[str]],
) -> None:
    with pytest.raises(AskTimeoutError, match="0 s: the deadline had passed when it"):
        held[0].within(0).ask(Inbox.kept).result()


def test_the_longest_deadline_fits_into_a_message(counter: ActorRef[Counter]) -> None:
    """A longer one was a ``struct.error``."""
    assert counter.within(MAX_TIMEOUT).ask(Counter.add, 1).result() == 1


@pytest.mark.parametrize("value", [-1, 1e11, math.inf, math.nan, "1", [2]], ids=repr)
def test_a_deadline_that_makes_no_sense_is_refused(
    counter: ActorRef[Counter], value: float
) -> None:
    with pytest.raises(OptionError, match=r"timeout=.*from 0 to 1e\+09, or None"):
        counter.within(value)


def test_an_answer_after_the_deadline_reaches_nobody_else(
    held: tuple[ActorRef[Inbox], Pending[str]], gate: Gate
) -> None:
    inbox, _ = held
    with pytest.raises(AskTimeoutError):
        inbox.within(0.01).ask(Inbox.echo, "late").result()

    gate.open()

    assert [inbox.ask(Inbox.echo, n).result() for n in range(20)] == list(range(20))


# asyncio's own tools.


async def test_gather_gives_the_results_in_order(counter: ActorRef[Counter]) -> None:
    totals = await asyncio.gather(*(counter.ask(Counter.add, 1) for _ in range(100)))

    assert totals == list(range(1, 101))


@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_more_asks_than_credits_are_all_answered(
    counter: ActorRef[Counter], make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def main() -> list[int]:
        ref = counter.within(SECONDS)
        return await asyncio.gather(*(ref.ask(Counter.add, 1) for _ in range(10_000)))

    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(main()) == list(range(1, 10_001))


def test_more_asks_than_credits_are_answered_in_a_script(
    counter: ActorRef[Counter],
) -> None:
    ref = counter.within(SECONDS)
    pendings = [ref.ask(Counter.add, 1) for _ in range(10_000)]

    assert [pending.result() for pending in pendings] == list(range(1, 10_001))


async def test_wait_for_gives_up_and_the_actor_goes_on(
    held: tuple[ActorRef[Inbox], Pending[str]], gate: Gate
) -> None:
    inbox, _ = held

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.ask(Inbox.kept), 0.01)

    gate.open()
    assert await inbox.ask(Inbox.kept) == []


async def test_a_task_group_takes_a_pending_as_a_coroutine(
    counter: ActorRef[Counter],
) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(counter.ask(Counter.add, 1)) for _ in range(10)]

    assert [task.result() for task in tasks] == list(range(1, 11))


async def test_a_failed_ask_ends_its_task_group_and_the_other_tasks(
    system: ActorSystem, held: tuple[ActorRef[Inbox], Pending[str]]
) -> None:
    trouble = await system.spawn(Trouble)

    tasks: list[asyncio.Task[object]] = []

    async def ask_both() -> None:
        async with asyncio.TaskGroup() as group:
            tasks.append(group.create_task(held[0].within(60).ask(Inbox.kept)))
            tasks.append(group.create_task(trouble.ask(Trouble.divide, 0)))

    with pytest.raises(ExceptionGroup) as caught:
        await ask_both()

    assert caught.group_contains(ZeroDivisionError)
    assert tasks[0].cancelled()


async def test_shield_keeps_the_ask_when_its_waiter_is_cancelled(
    held: tuple[ActorRef[Inbox], Pending[str]], gate: Gate
) -> None:
    _, pending = held

    inner = asyncio.ensure_future(pending)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(inner), 0.01)

    assert not inner.done()
    gate.open()
    assert await inner == "released"


async def test_cancelling_the_task_that_awaits_ends_it_and_nothing_else(
    held: tuple[ActorRef[Inbox], Pending[str]], gate: Gate
) -> None:
    inbox, pending = held

    async def wait() -> str:
        return await pending

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    gate.open()
    assert await pending == "released"
    assert await inbox.ask(Inbox.kept) == []


async def test_asyncio_timeout_ends_the_wait(
    held: tuple[ActorRef[Inbox], Pending[str]],
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await held[1]


async def test_awaiting_twice_gives_the_same_result(
    counter: ActorRef[Counter],
) -> None:
    pending = counter.ask(Counter.add, 1)

    assert (await pending, await pending, pending.result()) == (1, 1, 1)


async def test_awaiting_a_failure_twice_raises_it_twice(system: ActorSystem) -> None:
    pending = (await system.spawn(Trouble)).ask(Trouble.divide, 0)

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await pending


async def test_two_tasks_await_the_same_pending(
    held: tuple[ActorRef[Inbox], Pending[str]], gate: Gate
) -> None:
    _, pending = held

    async def wait() -> str:
        return await pending

    tasks = [asyncio.create_task(wait()) for _ in range(2)]
    await asyncio.sleep(0)
    gate.open()

    assert await asyncio.gather(*tasks) == ["released", "released"]


async def test_one_of_two_tasks_gives_up_and_the_other_gets_the_result(
    held: tuple[ActorRef[Inbox], Pending[str]], gate: Gate
) -> None:
    _, pending = held

    async def wait() -> str:
        return await pending

    patient, hasty = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.sleep(0)
    hasty.cancel()
    await asyncio.wait([hasty])
    gate.open()

    assert hasty.cancelled()
    assert await patient == "released"


def test_two_threads_wait_for_the_same_pending(
    held: tuple[ActorRef[Inbox], Pending[str]], gate: Gate
) -> None:
    _, pending = held
    with ThreadPoolExecutor(2) as pool:
        waiters = [pool.submit(pending.result, SECONDS) for _ in range(2)]
        gate.open()

        assert [waiter.result() for waiter in waiters] == ["released", "released"]


async def test_a_loop_gets_its_turns_while_answers_come_at_once(
    counter: ActorRef[Counter],
) -> None:
    turns = 0
    has_ended = False

    async def count() -> None:
        nonlocal turns
        while not has_ended:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await asyncio.sleep(0)
    pending = counter.ask(Counter.add, 1)
    await pending
    before = turns
    deadline = time.monotonic() + SECONDS
    while turns < before + 10 and time.monotonic() < deadline:
        await pending
    seen = turns - before
    has_ended = True
    await counting

    assert seen == 10


def test_a_thread_that_gives_up_does_not_stop_the_others(
    held: tuple[ActorRef[Inbox], Pending[str]],
    counter: ActorRef[Counter],
) -> None:
    """The one that looks at the lane for all of them leaves first."""
    _, pending = held
    started = threading.Event()

    def give_up() -> None:
        started.set()
        with pytest.raises(TimeoutError):
            pending.result(timeout=0.05)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(give_up)
        started.wait()
        asks = [counter.within(SECONDS).ask(Counter.add, 1).result() for _ in range(50)]
        first.result()

    assert asks == list(range(1, 51))
    assert counter.ask(Counter.add, 1).result() == 51


def test_an_ask_of_a_thread_that_nobody_awaits_is_carried_out(
    system: ActorSystem, gate: Gate
) -> None:
    blocker = system.spawn(Blocker).result()

    blocker.ask(Blocker.wait_for, gate.path)

    gate.wait_until_entered()
    gate.open()
    wait_until(lambda: blocker.ask(Blocker.hello).result() == "hello", "the answer")
