"""What a program hears of the actors that it watches: each exactly once, in order."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from actors import (
    ActorRef,
    ActorSystem,
    Down,
    ExitKind,
    Notice,
    OptionError,
    SystemClosedError,
    Terminated,
    Up,
)
from tests.support.actors_under_test import Counter
from tests.support.gates import SECONDS

Spawn = Callable[..., ActorRef[Counter]]


def brief(notice: Notice) -> tuple[str, int]:
    return type(notice).__name__, notice.incarnation


def test_a_program_hears_of_each_life_of_an_actor_and_of_its_end(
    system: ActorSystem,
) -> None:
    counter = system.spawn(Counter).result()
    notices = system.watch(counter, level="incarnation")

    os.kill(counter.ask(Counter.pid).result(), signal.SIGKILL)
    first = [notices.next().result(SECONDS) for _ in range(2)]
    counter.kill()
    heard = [*first, *notices]

    assert [brief(each) for each in heard] == [
        ("Down", 1),
        ("Up", 2),
        ("Down", 2),
        ("Terminated", 2),
    ]
    assert isinstance(heard[0], Down)
    assert heard[0].reason.signal == "SIGKILL"
    assert heard[0].will_restart
    assert {each.ref for each in heard} == {counter}
    assert {each.watch for each in heard} == {notices.id}


async def test_a_program_hears_of_the_end_alone_unless_it_wants_more(
    system: ActorSystem,
) -> None:
    counter = await system.spawn(Counter)
    notices = system.watch(counter)

    await counter.restart()
    await counter.stop()

    heard = [each async for each in notices]
    assert [brief(each) for each in heard] == [("Terminated", 2)]
    assert heard[0].reason.kind is ExitKind.NORMAL


def test_who_has_ended_already_is_heard_of_at_once(system: ActorSystem) -> None:
    counter = system.spawn(Counter).result()
    counter.kill().result()

    (end,) = system.watch(counter)

    assert end.reason.cause == "api"


def test_an_end_is_heard_of_after_all_answers(system: ActorSystem) -> None:
    counter = system.spawn(Counter).result()
    asked = [counter.ask(Counter.add, 1) for _ in range(50)]

    notices = system.watch(counter)
    counter.stop()
    notices.next().result(SECONDS)

    assert [each.done() for each in asked] == [True] * 50


def test_each_of_many_ends_is_heard_of_by_a_program_that_was_busy(
    system: ActorSystem,
) -> None:
    """More than the window that events have: none is dropped, and none waits for another to be read."""
    counter = system.options(intensity=100).spawn(Counter).result()
    watches = [system.watch(counter, level="incarnation") for _ in range(20)]

    for _ in range(3):
        counter.restart().result(SECONDS)
    counter.kill().result(SECONDS)

    expected = [
        *itertools.chain.from_iterable((("Down", n), ("Up", n + 1)) for n in (1, 2, 3)),
        ("Down", 4),
        ("Terminated", 4),
    ]
    assert [[brief(each) for each in watch] for watch in watches] == [expected] * 20


def test_a_watch_that_was_closed_says_no_more(system: ActorSystem) -> None:
    counter = system.spawn(Counter).result()
    with system.watch(counter) as notices:
        pending = notices.next()

    counter.kill().result()

    with pytest.raises(SystemClosedError, match="over"):
        pending.result()
    assert list(notices) == []


def test_a_notice_that_nobody_waits_for_any_more_is_the_next_ones(
    system: ActorSystem,
) -> None:
    async def main() -> Terminated:
        counter = await system.spawn(Counter)
        notices = system.watch(counter)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(notices), 0)
        await counter.kill()
        return await anext(notices)

    assert isinstance(asyncio.run(main()), Terminated)


def test_watches_end_with_the_system(tmp_path: Path) -> None:
    del tmp_path
    with ActorSystem() as system:
        counter = system.spawn(Counter).result()
        notices = system.watch(counter, level="incarnation")

    assert [brief(each) for each in notices][-1:] in ([], [("Terminated", 1)])
    with pytest.raises(SystemClosedError):
        system.watch(counter)
    notices.close()


def test_a_program_that_has_joined_hears_as_well_until_it_leaves(
    system: ActorSystem,
) -> None:
    name = Path(system.spawn(Counter).result()._system).name
    counter = system.options(name="watched").spawn(Counter).result()
    with ActorSystem.attach(name) as joined:
        notices = joined.watch(joined.lookup("watched", Counter).result())
        lost = joined.watch(joined.lookup("watched", Counter).result())
        lost.close()
        again = joined.watch(
            joined.lookup("watched", Counter).result(), level="incarnation"
        )
        counter.restart().result(SECONDS)
        assert isinstance(again.next().result(SECONDS), Down)
        assert isinstance(again.next().result(SECONDS), Up)

    counter.kill().result(SECONDS)
    counter = system.spawn(Counter).result()  # and the root goes on

    assert counter.ask(Counter.add, 1).result() == 1
    assert list(notices) == []


def test_what_cannot_be_watched_is_refused(system: ActorSystem) -> None:
    counter = system.spawn(Counter).result()

    with pytest.raises(TypeError, match="pass the ref"):
        system.watch(cast("ActorRef[Counter]", Counter))
    with pytest.raises(OptionError, match="'incarnation'"):
        system.watch(counter, level="both")  # type: ignore[call-overload]
