from __future__ import annotations

import asyncio
import os
import pickle
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from actors.runtime import clock
from actors.runtime.timers import Tick, Timer


class ManualLoop:
    """A loop whose time passes when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls: list[ManualCall] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> ManualCall:
        call = ManualCall(when, callback)
        self.calls.append(call)
        return call

    def pass_to(self, now: float) -> None:
        """Let time pass, and run what has become due, once."""
        self.now = now
        due = [call for call in self.calls if call.when <= now]
        self.calls = [call for call in self.calls if call.when > now]
        for call in due:
            if not call.is_cancelled:
                call.callback()


class ManualCall:
    """A call that waits for its time."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


@pytest.fixture
def loop() -> ManualLoop:
    return ManualLoop()


@pytest.fixture
def queue() -> deque[Tick]:
    return deque()


def start(
    loop: ManualLoop, queue: deque[Tick], delay: float, *, repeats: bool
) -> tuple[Timer, Tick]:
    tick = Tick("tick", (), {})
    as_loop = cast("asyncio.AbstractEventLoop", loop)
    return Timer(as_loop, queue, tick, delay, repeats=repeats), tick


def take(queue: deque[Tick]) -> None:
    """Take the tick as the cell does."""
    queue.popleft().is_queued = False


def test_once_is_once(loop: ManualLoop, queue: deque[Tick]) -> None:
    _, tick = start(loop, queue, 5, repeats=False)

    loop.pass_to(104.9)
    assert not queue
    loop.pass_to(105)
    loop.pass_to(200)

    assert list(queue) == [tick]
    assert loop.calls == []


def test_a_tick_that_waits_still_is_not_queued_again(
    loop: ManualLoop, queue: deque[Tick]
) -> None:
    _, tick = start(loop, queue, 1, repeats=True)

    for now in (101, 102, 103):
        loop.pass_to(now)

    assert list(queue) == [tick]


def test_a_tick_that_was_taken_is_queued_again(
    loop: ManualLoop, queue: deque[Tick]
) -> None:
    _, tick = start(loop, queue, 1, repeats=True)

    for now in (101, 102, 103):
        loop.pass_to(now)
        assert list(queue) == [tick]
        take(queue)


def test_periods_that_were_missed_are_left_out_and_the_rhythm_is_kept(
    loop: ManualLoop, queue: deque[Tick]
) -> None:
    start(loop, queue, 1, repeats=True)

    loop.pass_to(130.5)

    assert len(queue) == 1
    assert [call.when for call in loop.calls] == [131]


def test_a_late_tick_does_not_shift_the_next(
    loop: ManualLoop, queue: deque[Tick]
) -> None:
    start(loop, queue, 1, repeats=True)

    loop.pass_to(101.25)

    assert [call.when for call in loop.calls] == [102]


def test_cancelling_drops_what_is_due_and_what_waits(
    loop: ManualLoop, queue: deque[Tick]
) -> None:
    timer, tick = start(loop, queue, 1, repeats=True)
    loop.pass_to(101)

    timer.cancel()
    take(queue)
    loop.pass_to(105)

    assert tick.is_cancelled
    assert not queue


def test_every_move_of_a_time_that_a_test_moves_is_a_tick_of_its_own(
    queue: deque[Tick], tmp_path: Path
) -> None:
    """Moves came faster than their ticks were taken, and a test that counted them was one short."""
    dir_fd = os.open(tmp_path, os.O_DIRECTORY)
    clock.write(dir_fd, 0)
    loop = asyncio.new_event_loop()
    moved = clock.MovedClock(dir_fd, 1, loop)
    Timer(moved, queue, Tick("tick", (), {}), 10.0, repeats=True)

    for seconds in (10, 20):
        clock.write(dir_fd, seconds * 10**9)
        (tmp_path / clock.fifo_name(1)).write_bytes(b"!")
        loop.run_until_complete(asyncio.sleep(0))

    assert len(queue) == 2
    loop.close()
    os.close(moved._fifo)
    os.close(dir_fd)


def test_a_timer_cannot_be_sent(loop: ManualLoop, queue: deque[Tick]) -> None:
    """The error named something deep inside of its loop."""
    timer, _ = start(loop, queue, 1.0, repeats=True)

    with pytest.raises(TypeError, match="a timer cannot be sent"):
        pickle.dumps(timer)
