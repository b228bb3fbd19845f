"""The spare process as its supervisor sees it."""

from __future__ import annotations

import errno
import json
import math
import os
import selectors
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest

from actors.supervision import reaper
from actors.supervision.alarms import Alarms
from actors.supervision.line import Line
from actors.supervision.spare import ALARM, MAX_ORDERED, MAX_PAUSE, MIN_PAUSE, Spare
from tests.support.gates import wait_until
from tests.support.lives import is_alive
from tests.support.procfs import stat_of


@pytest.fixture
def selector() -> Iterator[selectors.EpollSelector]:
    with selectors.EpollSelector() as made:
        yield made


@pytest.fixture
def alarms() -> Alarms:
    return Alarms()


@pytest.fixture
def spare(alarms: Alarms, selector: selectors.EpollSelector) -> Spare:
    made = Spare(alarms, selector)
    made.want()
    return made


class Mould:
    """A process that does nothing, which *spare* takes for the mould, and whose orders are carried out here."""

    def __init__(self, spare: Spare, selector: selectors.EpollSelector) -> None:
        self.process = subprocess.Popen(["sleep", "60"])
        self._line = Line.waiting(os.dup(spare.begin()))
        self._selector = selector
        self.ordered: list[int] = []
        self.copies: list[subprocess.Popen[bytes]] = []
        spare.forked(self.process.pid)

    def take_orders(self) -> int:
        """Return how many there are."""
        count = 0
        while self._line.has_arrived_within(0):
            received = self._line.receive()
            assert received is not None
            self.ordered += received[1]
            count += 1
        return count

    def make(
        self, *, is_ready: bool = True, is_read: bool = True
    ) -> subprocess.Popen[bytes]:
        """Carry out the first order, with a process that does nothing either."""
        copy = subprocess.Popen(["sleep", "60"])
        self.copies.append(copy)
        end = socket.socket(fileno=self.ordered.pop(0))
        if is_ready:
            end.send(b"ready")
        pidfd = os.pidfd_open(copy.pid)
        self._line.send(json.dumps([copy.pid, 0]).encode(), [pidfd])
        os.close(pidfd)
        if is_read:
            self._look()
        end.close()
        return copy

    def fail(self, code: int = errno.EAGAIN) -> None:
        """Say that no process could be made."""
        os.close(self.ordered.pop(0))
        self._line.send(json.dumps([0, code]).encode())
        self._look()

    def _look(self) -> None:
        for key, _ in self._selector.select(20):
            key.data()

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self._line.close()
        for fd in self.ordered:
            os.close(fd)


@pytest.fixture
def mould(spare: Spare, selector: selectors.EpollSelector) -> Iterator[Mould]:
    made = Mould(spare, selector)
    yield made
    made.close()
    spare.dismiss()
    see_death(selector, spare)
    assert all(each.poll() is not None for each in (made.process, *made.copies))


def let_pass(alarms: Alarms, spare: Spare) -> None:
    """Go on to when everything is due."""
    for kind, number in list(alarms.take_due(math.inf)):
        assert kind == ALARM
        spare.on_alarm(number)


def fail(spare: Spare) -> None:
    """Be told that there is no process to be had."""
    spare.begin()
    spare.not_forked(OSError(errno.EAGAIN, "no"))


def with_stuck_mould(spare: Spare) -> subprocess.Popen[bytes]:
    """Return a process that makes nothing, which *spare* takes for the mould."""
    process = subprocess.Popen(["sleep", "60"])
    spare.begin()
    spare.forked(process.pid)
    return process


def answer_order(spare: Spare, selector: selectors.EpollSelector, code: int) -> None:
    """Answer an order in the place of the mould: no copy, but *code*."""
    process = subprocess.Popen(["sleep", "60"])
    line = Line.waiting(os.dup(spare.begin()))
    spare.forked(process.pid)
    spare.order()
    line.send(json.dumps([0, code]).encode())
    for key, _ in selector.select(20):
        key.data()
    line.close()
    process.kill()
    see_death(selector, spare)
    assert process.poll() is not None


def see_death(selector: selectors.EpollSelector, spare: Spare) -> None:
    """Go on to when nothing is watched any more."""
    while list(spare.pids()):
        ready = selector.select(20)
        assert ready, "no death has been seen"
        for key, _ in ready:
            key.data()


def test_none_is_kept_before_it_is_wanted(
    alarms: Alarms, selector: selectors.EpollSelector
) -> None:
    assert not Spare(alarms, selector).is_due


def test_pauses_get_longer_while_there_is_no_process_to_be_had(
    spare: Spare, alarms: Alarms
) -> None:
    pauses = []
    for _ in range(12):
        fail(spare)
        pauses.append(spare._pause)
        has_paused = not spare.is_due
        let_pass(alarms, spare)
        assert has_paused
        assert spare.is_due

    assert pauses[:3] == [MIN_PAUSE, 2 * MIN_PAUSE, 4 * MIN_PAUSE]
    assert pauses[-1] == MAX_PAUSE


def test_mould_that_makes_nothing_in_time_is_killed_and_replaced(
    spare: Spare, alarms: Alarms, selector: selectors.EpollSelector
) -> None:
    process = with_stuck_mould(spare)
    spare.order()

    let_pass(alarms, spare)
    see_death(selector, spare)

    let_pass(alarms, spare)
    assert spare.is_due
    assert spare.needs_mould
    assert process.poll() is not None  # it has been reaped


def test_copy_that_has_not_left_the_session_of_its_mould_outlives_it(
    spare: Spare, selector: selectors.EpollSelector
) -> None:
    command = ["sh", "-c", "sleep 60 & echo $!; wait"]
    with subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        copy = int(process.stdout.readline())
        spare.begin()
        spare.forked(process.pid)

        process.kill()
        see_death(selector, spare)

        assert is_alive(copy)
        os.kill(copy, signal.SIGKILL)
        assert process.poll() is not None


def test_dismissed_it_is_wanted_no_more(
    spare: Spare, alarms: Alarms, selector: selectors.EpollSelector
) -> None:
    process = with_stuck_mould(spare)

    spare.dismiss()
    see_death(selector, spare)
    let_pass(alarms, spare)

    assert not spare.is_due
    assert process.poll() is not None  # it has been reaped


def test_system_that_has_no_copies_is_asked_for_one_once(
    spare: Spare, alarms: Alarms, selector: selectors.EpollSelector
) -> None:
    answer_order(spare, selector, errno.ENOSYS)
    let_pass(alarms, spare)

    spare.want()

    assert not spare.is_due


def test_copy_that_could_not_be_made_is_ordered_again_after_a_pause(
    spare: Spare, alarms: Alarms, selector: selectors.EpollSelector
) -> None:
    answer_order(spare, selector, errno.EAGAIN)

    has_paused = not spare.is_due
    let_pass(alarms, spare)

    assert has_paused
    assert spare.is_due


# Births that wait.


def test_processes_for_births_that_wait_are_ordered_a_few_at_a_time(
    spare: Spare, mould: Mould
) -> None:
    is_waiting = spare.order_for(10)
    at_first = mould.take_orders()
    spare.order_for(10)
    without_answer = mould.take_orders()
    mould.make()
    spare.order_for(9)

    assert is_waiting
    assert (at_first, without_answer, mould.take_orders()) == (MAX_ORDERED, 0, 1)


def test_no_more_are_ordered_than_births_wait(spare: Spare, mould: Mould) -> None:
    spare.order_for(2)

    assert mould.take_orders() == 2


def test_births_wait_for_no_mould_that_is_stopped(
    spare: Spare, mould: Mould, selector: selectors.EpollSelector
) -> None:
    mould.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: stat_of(mould.process.pid)[0] == "T", "its stop")

    assert not spare.order_for(3)
    see_death(selector, spare)


def test_births_wait_for_nothing_after_processes_could_not_be_made(
    spare: Spare, mould: Mould
) -> None:
    spare.order_for(10)
    mould.take_orders()
    for _ in range(MAX_ORDERED):
        mould.fail()

    assert not spare.order_for(10)
    assert mould.take_orders() == 0


def test_births_wait_no_longer_than_for_a_mould_that_makes_nothing(
    spare: Spare, mould: Mould, alarms: Alarms, selector: selectors.EpollSelector
) -> None:
    spare.order_for(3)

    let_pass(alarms, spare)
    see_death(selector, spare)

    assert not spare.is_in_the_making
    assert not spare.order_for(3)
    assert mould.process.poll() is not None


def test_births_wait_no_longer_for_a_mould_that_is_killed_and_cannot_be_reaped(
    spare: Spare, mould: Mould, alarms: Alarms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that a debugger holds."""
    monkeypatch.setattr(reaper, "reap", lambda *_, **__: None)
    spare.order_for(3)

    let_pass(alarms, spare)

    assert not spare.is_in_the_making
    assert not spare.order_for(3)
    monkeypatch.undo()


def test_mould_that_can_make_none_is_asked_no_more(spare: Spare, mould: Mould) -> None:
    spare.order_for(3)
    mould.take_orders()

    mould.fail(errno.ENOSYS)

    assert not spare.is_in_the_making
    assert not spare.order_for(3)


def test_of_those_that_were_not_born_one_is_kept(
    spare: Spare, mould: Mould, alarms: Alarms, selector: selectors.EpollSelector
) -> None:
    spare.order_for(3)
    mould.take_orders()
    first, *others = [mould.make() for _ in range(3)]

    let_pass(alarms, spare)

    wait_until(lambda: all(each.poll() is not None for each in others), "their ends")
    while len(list(spare.pids())) > 2:
        for key, _ in selector.select(20):
            key.data()
    assert sorted(spare.pids()) == sorted([mould.process.pid, first.pid])


def test_one_that_is_not_ready_in_time_is_ended(
    spare: Spare, mould: Mould, alarms: Alarms
) -> None:
    spare.order()
    mould.take_orders()
    copy = mould.make(is_ready=False)

    let_pass(alarms, spare)

    wait_until(lambda: copy.poll() is not None, "its end")


def test_dismissed_ends_what_was_made_and_hangs_up_on_what_is_made_later(
    spare: Spare, mould: Mould
) -> None:
    spare.order_for(2)
    mould.take_orders()
    copy = mould.make(is_read=False)

    spare.dismiss()

    wait_until(lambda: copy.poll() is not None, "its end")
    with socket.socket(fileno=mould.ordered.pop(0)) as end:
        assert end.recv(1) == b""


def test_what_a_mould_has_made_before_its_death_is_kept(
    spare: Spare, mould: Mould, selector: selectors.EpollSelector
) -> None:
    spare.order_for(2)
    mould.take_orders()
    made = mould.make()

    mould.process.kill()
    while mould.process.pid in spare.pids():
        for key, _ in selector.select(20):
            key.data()

    assert list(spare.pids()) == [made.pid]
    assert not spare.is_in_the_making
