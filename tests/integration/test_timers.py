"""Timers and signals of an actor: ticks take their turn among the messages and end with the incarnation."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from actors import ActorRef, ActorSystem, Event, ExitKind, OptionError
from tests.support.actors_under_test import Clock
from tests.support.gates import SECONDS, wait_until

NextEvent = Callable[[str, str], Event]


@pytest.fixture
def clock(system: ActorSystem) -> ActorRef[Clock]:
    return system.spawn(Clock).result()


def wait_for_ticks(clock: ActorRef[Clock], count: int) -> list[str]:
    """Wait until there were so many ticks, and return them."""
    wait_until(lambda: len(clock.ask(Clock.seen).result()) >= count, f"{count} ticks")
    return clock.ask(Clock.seen).result()


def test_after_calls_once(clock: ActorRef[Clock]) -> None:
    clock.ask(Clock.once, 0.01, "a").result()
    clock.ask(Clock.once, 0.2, "c").result()
    clock.ask(Clock.once, 0.1, "b").result()

    assert wait_for_ticks(clock, 3) == ["a", "b", "c"]


def test_after_does_not_call_before_its_time(clock: ActorRef[Clock]) -> None:
    clock.ask(Clock.once, 60, "late").result()
    clock.ask(Clock.once, 0.01, "early").result()

    assert wait_for_ticks(clock, 1) == ["early"]


def test_a_tick_waits_for_the_message_in_hand(clock: ActorRef[Clock]) -> None:
    clock.ask(Clock.often, 0.01, "tick").result()

    assert clock.ask(Clock.block_for, 0.1).result() == 0
    wait_for_ticks(clock, 1)


def test_a_cancelled_timer_does_not_call_even_if_it_is_due(
    clock: ActorRef[Clock],
) -> None:
    clock.ask(Clock.once_and_cancel, "never").result()
    clock.ask(Clock.once, 0, "after").result()

    assert wait_for_ticks(clock, 1) == ["after"]


def test_every_calls_again_and_again_until_it_is_cancelled(
    clock: ActorRef[Clock],
) -> None:
    clock.ask(Clock.often, 0.005, "tick").result()
    wait_for_ticks(clock, 5)

    clock.ask(Clock.cancel).result()
    seen = clock.ask(Clock.seen).result()
    clock.ask(Clock.once, 0.05, "end").result()
    ticks = wait_for_ticks(clock, len(seen) + 1)

    assert ticks == [*seen, "end"]


def test_timers_are_gone_after_a_restart(clock: ActorRef[Clock]) -> None:
    clock.ask(Clock.often, 0.005, "tick").result()
    wait_for_ticks(clock, 1)

    clock.restart().result(SECONDS)
    clock.ask(Clock.once, 0.1, "mine").result()

    assert wait_for_ticks(clock, 1) == ["mine"]


def test_a_tick_that_raises_crashes_the_actor(
    clock: ActorRef[Clock], next_event: NextEvent
) -> None:
    first = clock.ask(Clock.pid).result()

    clock.ask(Clock.fail_after, 0.01).result()

    reason = next_event("child_exit", clock.name).reason
    assert reason is not None
    assert (reason.exc_type, reason.message) == ("ValueError", "tick")
    assert reason.during == "Clock._fail"
    assert clock.ask(Clock.pid).result() != first


def test_an_actor_can_stop_itself_later(clock: ActorRef[Clock]) -> None:
    clock.ask(Clock.stop_after, 0.01).result()

    assert clock.ended().result(SECONDS).kind is ExitKind.NORMAL


@pytest.mark.parametrize("delay", [-1, float("inf"), float("nan"), "1", True])
def test_a_delay_that_is_no_time_is_refused(
    clock: ActorRef[Clock], delay: float
) -> None:
    with pytest.raises(OptionError, match="delay="):
        clock.ask(Clock.once, delay, "never").result()


def test_a_period_of_zero_is_refused(clock: ActorRef[Clock]) -> None:
    with pytest.raises(OptionError, match=r"period=0: a number of seconds above 0"):
        clock.ask(Clock.often, 0, "never").result()


# Signals.


def test_a_signal_becomes_a_tick(clock: ActorRef[Clock]) -> None:
    pid = clock.ask(Clock.listen).result()

    os.kill(pid, signal.SIGUSR1)

    assert wait_for_ticks(clock, 1) == ["SIGUSR1"]


def test_a_signal_waits_for_the_message_in_hand(clock: ActorRef[Clock]) -> None:
    pid = clock.ask(Clock.listen).result()
    blocked = clock.ask(Clock.block_for, 0.2)

    os.kill(pid, signal.SIGUSR1)

    assert blocked.result() == 0
    assert wait_for_ticks(clock, 1) == ["SIGUSR1"]
    assert clock.ask(Clock.pid).result() == pid


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT, 0])
def test_a_signal_that_the_runtime_needs_is_refused(
    clock: ActorRef[Clock], signum: int
) -> None:
    with pytest.raises(OptionError, match="signum="):
        clock.ask(Clock.listen_for, signum).result()


def test_ctrl_c_in_the_terminal_does_not_reach_actors(clock: ActorRef[Clock]) -> None:
    pid = clock.ask(Clock.pid).result()

    os.kill(pid, signal.SIGINT)

    assert clock.ask(Clock.pid).result() == pid
