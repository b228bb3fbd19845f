"""The spare process as its supervisor sees it."""

from __future__ import annotations

import errno
import json
import math
import os
import selectors
import subprocess
from collections.abc import Iterator

import pytest

from actors.supervision.alarms import Alarms
from actors.supervision.line import Line
from actors.supervision.spare import ALARM, MAX_PAUSE, MIN_PAUSE, Spare


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


def let_pass(alarms: Alarms, spare: Spare) -> None:
    """Go on to when everything is due."""
    for kind, _ in list(alarms.take_due(math.inf)):
        assert kind == ALARM
        spare.on_alarm()


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
