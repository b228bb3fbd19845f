"""Which of several receivers of a ring are woken, and which may sleep on.

Promises hold for milliseconds, and a test may be held up for longer: what needs one is tried again.
"""

from __future__ import annotations

import os
import select

import pytest

from tests.support.transports import NAME, Place, eventually, is_ready, new_slot
from transports import shm
from transports._ring import Reader, Writer, arm, attended, disarm, look, stand_by

TRIES = 100_000  # a machine with other things to do is not quick each time


class Receivers:
    """Three that share a ring, by seat: the first awake, the others asleep."""

    def __init__(self, place: Place) -> None:
        held = place.create(shm.TRANSPORT, capacity=64 * 1024)
        self.awake, self.first, self.second = (
            place.keep(shm.TRANSPORT.open(held, place.dir_fd, NAME, seat))
            for seat in range(3)
        )
        self.writer: Writer = place.keep(shm.TRANSPORT.connect(place.dir_fd, NAME))
        self.slot = new_slot()
        for reader in (self.awake, self.first, self.second):
            reader.fileno()
            disarm((reader,))
        arm((self.first,))
        arm((self.second,))

    def put(self, count: int = 1) -> bool:
        """Put so many frames; return whether anybody was woken for the last."""
        for _ in range(count):
            self.writer.put(b"frame")
        return self.has_rung()

    def has_rung(self) -> bool:
        return is_ready(self.awake.fileno(), select.POLLIN)

    def hush(self) -> None:
        self.awake.hush()

    def take(self) -> None:
        """Take a frame, and be done with it at once."""
        self.awake.take(self.slot)
        self.slot.clear()

    def attend(self) -> None:
        """Take until the others see that somebody attends."""
        for _ in range(TRIES):
            self.writer.put(b"frame")
            while self.awake.take(self.slot) is not None:
                self.slot.clear()
            if attended((self.first,)):
                break
        self.hush()

    def keep_attending(self, sentry: Reader) -> None:
        """Let there be an attendant, and *sentry*."""
        for _ in range(TRIES):
            self.attend()
            disarm((sentry,))  # what was rung for meanwhile was not for it
            arm((sentry,))
            if stand_by((sentry,)) > 0 and not self.put():
                break
            self.take()
        else:
            pytest.fail("nobody attends")
        self.take()
        self.hush()


@pytest.fixture
def receivers(place: Place) -> Receivers:
    return Receivers(place)


def test_nobody_is_woken_while_one_attends_and_another_is_the_sentry(
    receivers: Receivers,
) -> None:
    def is_nobody_woken() -> bool:
        receivers.keep_attending(receivers.first)
        rung = receivers.put()
        receivers.take()
        return not rung

    eventually(is_nobody_woken)


def test_one_is_woken_where_nobody_is_the_sentry_and_no_other_until_it_has_had_time(
    receivers: Receivers,
) -> None:
    def is_one_woken() -> bool:
        receivers.attend()
        receivers.writer.put(b"frame")
        rung = receivers.has_rung()
        # As if a receiver had read it that is called by it, and has not got further.
        os.read(receivers.awake.fileno(), 1)
        return rung and not receivers.put()

    eventually(is_one_woken)


def test_one_is_woken_again_after_another_has_read_the_bell(
    receivers: Receivers,
) -> None:
    """An attendant polls its bell now and then, and whoever was woken by it sleeps on."""

    def is_woken_again() -> bool:
        receivers.attend()
        receivers.put()
        receivers.hush()
        return attended((receivers.first,)) and receivers.put()

    eventually(is_woken_again)


def test_receiver_that_takes_longer_attends_nothing(receivers: Receivers) -> None:
    for _ in range(100):
        receivers.writer.put(b"frame")
        receivers.take()
        look((receivers.awake,), 50_000)  # works for so long

    assert not attended((receivers.first,))
    assert receivers.put()


def test_receiver_with_several_in_hand_attends_nothing(receivers: Receivers) -> None:
    slots = [new_slot(), new_slot()]
    for number in range(200):
        receivers.writer.put(b"frame")
        slot = slots[number % 2]
        receivers.awake.take(slot)
        slot.clear()

    assert not attended((receivers.first,))


def test_attendant_that_goes_to_sleep_attends_no_more(receivers: Receivers) -> None:
    receivers.keep_attending(receivers.first)

    arm((receivers.awake,))

    assert not attended((receivers.first,))
    assert receivers.put()


def test_one_is_called_at_a_time_where_the_attendant_has_just_gone_to_sleep(
    receivers: Receivers,
) -> None:
    def is_one_called() -> bool:
        receivers.keep_attending(receivers.first)
        arm((receivers.awake,))
        receivers.writer.put(b"frame")
        rung = receivers.has_rung()
        # As if a receiver had read it that is called by it, and has not got further.
        os.read(receivers.awake.fileno(), 1)
        others_are_called = receivers.put()
        receivers.hush()
        return rung and not others_are_called and receivers.put()

    eventually(is_one_called)


def test_only_one_of_those_that_sleep_is_the_sentry(receivers: Receivers) -> None:
    def may_sleep_on() -> bool:
        receivers.keep_attending(receivers.first)
        return stand_by((receivers.second,)) == -1

    eventually(may_sleep_on)


def test_whoever_sleeps_while_nobody_attends_may_sleep_on(receivers: Receivers) -> None:
    assert stand_by((receivers.first,)) == -1


def test_sentry_that_wakes_leaves_nobody_asleep_on_what_comes(
    receivers: Receivers,
) -> None:
    receivers.keep_attending(receivers.first)

    disarm((receivers.first,))

    assert receivers.put()


def test_sentry_takes_what_an_attendant_leaves_that_is_slow_this_time(
    receivers: Receivers,
) -> None:
    def is_taken_at_the_second_look() -> bool:
        receivers.keep_attending(receivers.first)
        receivers.put()
        first = stand_by((receivers.first,))
        return (first > 0, stand_by((receivers.first,))) == (True, 0)

    eventually(is_taken_at_the_second_look)


def test_sentry_takes_what_came_when_the_attendant_had_gone(
    receivers: Receivers,
) -> None:
    receivers.keep_attending(receivers.first)
    arm((receivers.awake,))
    receivers.put()

    assert stand_by((receivers.first,)) == 0


@pytest.mark.parametrize(("taken", "helps"), [(1, True), (50, False)])
def test_sentry_helps_only_where_what_waits_has_waited_since_its_last_look(
    receivers: Receivers, taken: int, *, helps: bool
) -> None:
    def is_so() -> bool:
        receivers.keep_attending(receivers.first)
        receivers.put(50)
        is_watched = stand_by((receivers.first,)) > 0
        for _ in range(taken):
            receivers.take()
        receivers.put()
        return is_watched and (stand_by((receivers.first,)) == 0) is helps

    eventually(is_so)


def test_promise_of_a_sentry_that_is_stopped_holds_for_milliseconds(
    receivers: Receivers,
) -> None:
    receivers.keep_attending(receivers.first)

    def is_rung_for() -> bool:
        receivers.attend()
        return receivers.put()

    eventually(is_rung_for)
