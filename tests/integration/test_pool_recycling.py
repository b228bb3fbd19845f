"""Workers that are replaced by fresh ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors import ActorSystem, Event, HashBy, OptionError, Recycle
from actors.pool.routing import Routing
from tests.support.gates import Turnstile, wait_until
from tests.support.pool_workers import Glutton, Hand


def test_a_worker_is_replaced_after_so_many_messages_and_none_is_lost(
    system: ActorSystem,
) -> None:
    recycle = Recycle(after_messages=10)
    pool = system.options(size=2, recycle=recycle).pool(Hand).result()

    pids: set[int] = set()

    def have_been_replaced() -> bool:
        results = list(pool.map(Hand.pid_for, range(50), in_flight=4))
        assert len(results) == 50
        pids.update(results)
        return len(pids) >= 5

    wait_until(have_been_replaced, "several generations of workers")
    assert pool.broadcast(Hand.index).result() == [0, 1]
    pool.stop().result()


def test_a_worker_is_replaced_after_so_many_seconds(system: ActorSystem) -> None:
    recycle = Recycle(after_seconds=0.05)
    pool = system.options(size=1, recycle=recycle).pool(Hand).result()
    before = pool.ask(Hand.pid).result()

    wait_until(lambda: pool.ask(Hand.pid).result() != before, "another process")

    assert pool.ask(Hand.index).result() == 0
    pool.stop().result()


def test_a_worker_is_replaced_above_so_much_memory(system: ActorSystem) -> None:
    recycle = Recycle(above_bytes=64 * 2**20)
    pool = system.options(size=1, recycle=recycle).pool(Glutton).result()
    before = pool.ask(Glutton.eat, 80 * 2**20).result()

    wait_until(lambda: pool.ask(Glutton.eat, 0).result() != before, "another process")

    pool.stop().result()


@pytest.mark.parametrize("routing", ["shared", "least_loaded", HashBy(lambda *_: 0)])
def test_the_fresh_worker_is_ready_before_the_worn_one_ends(
    system: ActorSystem,
    next_event: Callable[[str, str], Event],
    turnstile: Turnstile,
    routing: Routing,
) -> None:
    recycle = Recycle(after_messages=1)
    pool = (
        system.options(size=1, name="ready", recycle=recycle, routing=routing)
        .pool(Hand)
        .result()
    )
    next_event("child_ready", "ready-0")
    worn = pool.workers[0]

    held = [pool.ask(Hand.pass_through, turnstile.path) for _ in range(3)]
    turnstile.let(1)
    held[0].result()
    next_event("child_ready", "ready-0")
    wait_until(
        # A program that waits for nothing takes nothing in.
        lambda: worn.stack().result() and pool.workers[0] != worn,
        "a fresh worker in the table",
    )
    turnstile.let(2)

    assert [pending.result() for pending in held] == [0, 0, 0]
    assert pool.ask(Hand.index).result() == 0
    worn.ended().result()
    pool.stop().result()


def test_recycling_after_nothing_is_refused() -> None:
    with pytest.raises(OptionError, match="one of after_messages, after_seconds"):
        Recycle()
    with pytest.raises(OptionError, match="after_messages=0: a whole number"):
        Recycle(after_messages=0)
    with pytest.raises(OptionError, match="after_seconds=0: a number of seconds"):
        Recycle(after_seconds=0)
    with pytest.raises(OptionError, match="above_bytes=1000: a whole number of bytes"):
        Recycle(above_bytes=1000)
