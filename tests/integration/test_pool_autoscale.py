"""Pools that grow and shrink by themselves."""

from __future__ import annotations

import asyncio
import threading

import pytest

from actors import ActorSystem, Autoscale
from actors.pool.caretaker import PERIOD
from actors.pool.routing import Routing
from actors.testing import eventually
from tests.support.gates import SECONDS, Turnstile, wait_until
from tests.support.pool_workers import Hand
from tests.support.procfs import is_gone

QUICK = Autoscale(min=1, max=3, target=0.02, dwell=0.05, interval=0.01)


@pytest.mark.parametrize("routing", ["shared", "least_loaded"])
async def test_a_pool_grows_while_messages_wait_and_shrinks_when_none_does(
    system: ActorSystem, turnstile: Turnstile, routing: Routing
) -> None:
    options = system.options(size=1, autoscale=QUICK, routing=routing)
    pool = await options.pool(Hand)

    held = [pool.within(60).ask(Hand.pass_through, turnstile.path) for _ in range(9)]
    await eventually(lambda: pool.size == 3, within=SECONDS)
    turnstile.let(9)
    await asyncio.gather(*held)
    await eventually(lambda: pool.size == 1, within=SECONDS)

    assert await pool.broadcast(Hand.index) == [0]
    await pool.stop()


def test_a_pool_grows_for_a_program_without_a_loop(
    system: ActorSystem, turnstile: Turnstile
) -> None:
    pool = system.options(size=1, autoscale=QUICK).pool(Hand).result()
    held = [pool.within(60).ask(Hand.pass_through, turnstile.path) for _ in range(2)]

    with pytest.raises(TimeoutError):
        held[0].result(timeout=0.3)
    turnstile.let(2)

    assert sorted(pending.result() for pending in held) == [0, 1]
    pool.stop().result()


def test_a_pool_grows_while_its_program_does_something_else(
    system: ActorSystem, turnstile: Turnstile
) -> None:
    pool = system.options(size=1, autoscale=QUICK).pool(Hand).result()
    held = [pool.within(60).ask(Hand.pass_through, turnstile.path) for _ in range(2)]

    wait_until(lambda: pool.size > 1, "the pool to grow")
    turnstile.let(2)

    assert sorted(pending.result() for pending in held) == [0, 1]
    pool.stop().result()


def test_nobody_looks_after_a_pool_that_was_stopped(system: ActorSystem) -> None:
    def caretakers() -> int:
        return sum(each.name == "actors.Pool mortal" for each in threading.enumerate())

    options = system.options(size=1, autoscale=QUICK, name="mortal")
    pool = options.pool(Hand).result()
    before = caretakers()

    pool.stop().result()
    wait_until(lambda: not caretakers(), "the thread to end")

    assert before == 1


def test_a_pool_that_is_stopped_is_looked_after_until_all_have_ended(
    system: ActorSystem, turnstile: Turnstile
) -> None:
    pool = system.options(autoscale=Autoscale(min=2, max=3)).pool(Hand).result()
    pids = [worker.pid for worker in pool.stats().workers]
    held = pool.ask(Hand.pass_through, turnstile.path)

    pool.stop()  # and nobody waits for it
    caretaker = next(each for each in threading.enumerate() if pool.name in each.name)
    caretaker.join(1.5 * PERIOD)
    turnstile.let(1)

    wait_until(lambda: all(map(is_gone, pids)), "their ends")
    held.result()
