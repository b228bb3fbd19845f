"""Time that tests move, in all processes of a system."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from actors import ActorSystem, OptionError
from actors.testing import ManualClock, eventually
from tests.support.actors_under_test import Blocker
from tests.support.gates import Gate
from tests.support.plugin import needs_plugin
from tests.support.stand_ins import Watchman

pytestmark = needs_plugin


def test_a_tick_has_come_when_advance_has_returned(
    system: ActorSystem, manual_clock: ManualClock
) -> None:
    watchman = system.spawn(Watchman).result()

    for rounds in range(1, 51):
        manual_clock.advance(600)
        assert watchman.ask(Watchman.seen).result() == (rounds, False)


def test_every_move_has_its_tick_however_fast_moves_come(
    system: ActorSystem, manual_clock: ManualClock
) -> None:
    """The second tick coalesced with the first one that was still queued, now and then."""
    watchman = system.spawn(Watchman).result()

    for _ in range(300):
        manual_clock.advance(600)

    assert watchman.ask(Watchman.seen).result() == (300, False)


def test_nothing_ticks_before_its_time(
    system: ActorSystem, manual_clock: ManualClock
) -> None:
    watchman = system.spawn(Watchman).result()
    watchman.ask(Watchman.watch_in, 0.3).result()

    manual_clock.advance(0.1)
    manual_clock.advance(0.199_999_999)
    assert watchman.ask(Watchman.seen).result() == (0, False)
    manual_clock.advance(0.000_000_001)
    assert watchman.ask(Watchman.seen).result() == (0, True)


def test_a_timer_of_no_seconds_needs_no_move(
    system: ActorSystem, manual_clock: ManualClock
) -> None:
    watchman = system.spawn(Watchman).result()

    watchman.ask(Watchman.watch_in, 0).result()

    assert eventually(lambda: watchman.ask(Watchman.seen).result()[1]).result()


def test_a_move_over_several_periods_ticks_once(
    system: ActorSystem, manual_clock: ManualClock
) -> None:
    watchman = system.spawn(Watchman).result()

    manual_clock.advance(6000)

    assert watchman.ask(Watchman.seen).result() == (1, False)


def test_all_actors_follow(system: ActorSystem, manual_clock: ManualClock) -> None:
    watchmen = [system.spawn(Watchman) for _ in range(3)]
    refs = [watchman.result() for watchman in watchmen]

    manual_clock.advance(600)

    assert [ref.ask(Watchman.seen).result() for ref in refs] == [(1, False)] * 3


def test_the_next_incarnation_follows_as_well(
    system: ActorSystem, manual_clock: ManualClock
) -> None:
    watchman = system.spawn(Watchman).result()
    manual_clock.advance(599)
    old = watchman.ask(Watchman.pid).result()
    os.kill(old, signal.SIGKILL)
    assert eventually(lambda: watchman.ask(Watchman.pid).result() != old).result()

    manual_clock.advance(599)
    early = watchman.ask(Watchman.seen).result()
    manual_clock.advance(1)

    assert early == (0, False)
    assert watchman.ask(Watchman.seen).result() == (1, False)


def test_an_actor_that_has_ended_is_not_waited_for(
    system: ActorSystem, manual_clock: ManualClock
) -> None:
    watchman = system.spawn(Watchman).result()
    watchman.kill().result()

    manual_clock.advance(600, within=0)

    assert manual_clock.time() == 600


def test_an_actor_that_is_busy_is_named(
    system: ActorSystem, manual_clock: ManualClock, tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "gate")
    blocker = system.spawn(Blocker).result()
    waiting = blocker.ask(Blocker.wait_for, gate.path)
    gate.wait_until_entered()

    with pytest.raises(AssertionError, match=r"within 0\.05 s actor 2 did not follow"):
        manual_clock.advance(1, within=0.05)

    gate.open()
    waiting.result()


def test_a_system_without_a_manual_clock_has_the_real_time(system: ActorSystem) -> None:
    watchman = system.spawn(Watchman).result()

    watchman.ask(Watchman.watch_in, 0.01).result()

    assert eventually(lambda: watchman.ask(Watchman.seen).result()[1]).result()


def test_a_second_clock_is_refused(
    system: ActorSystem, manual_clock: ManualClock
) -> None:
    with pytest.raises(OptionError, match="has a manual clock already"):
        ManualClock(system)


def test_time_does_not_go_back(manual_clock: ManualClock) -> None:
    with pytest.raises(OptionError, match="duration=-1"):
        manual_clock.advance(-1)


def test_a_clock_without_a_system_is_for_code_that_asks_for_the_time() -> None:
    clock = ManualClock()

    clock.advance(1.5)

    assert clock.time() == 1.5
