from __future__ import annotations

import math

import pytest

from actors.options import Heartbeat
from actors.supervision.hangs import (
    SECOND_NS,
    Fine,
    Hand,
    Hung,
    Limits,
    Sight,
    grace_ns,
    judge,
)

ADD = Hand(0, 7, 1000, "add")
TEN = Limits(of_others=10)


def test_process_without_limits_is_never_looked_at() -> None:
    assert judge(Sight(5000, 0, [ADD]), Limits()) == Fine(None)


def test_idle_process_is_looked_at_when_a_message_could_first_take_too_long() -> None:
    limits = Limits(of_methods={"hurry": 3, "dawdle": None}, of_others=10)

    assert judge(Sight(5000, 0), limits) == Fine(3)


def test_handler_that_runs_is_looked_at_when_its_time_is_up() -> None:
    assert judge(Sight(1004, 0, [ADD]), TEN) == Fine(6)


@pytest.mark.parametrize(("now", "took"), [(1010, 10), (1025, 25)])
def test_handler_hangs_once_its_time_is_up(now: int, took: int) -> None:
    assert judge(Sight(now, 0, [ADD]), TEN) == Hung(took, 10, ADD)


def test_limit_of_a_handler_comes_before_that_of_all() -> None:
    short = Limits(of_methods={"add": 5}, of_others=10)
    without = Limits(of_methods={"add": None}, of_others=10)

    assert judge(Sight(1005, 0, [ADD]), short) == Hung(5, 5, ADD)
    assert judge(Sight(9000, 0, [ADD]), without) == Fine(10)


def test_of_several_messages_the_one_that_takes_too_long_is_named() -> None:
    other = Hand(1, 8, 990, "subtract")

    assert judge(Sight(1003, 0, [ADD, other]), TEN) == Hung(13, 10, other)


def test_time_in_which_it_was_frozen_does_not_count() -> None:
    thawed = Sight(1025, 0, [ADD], [(1002, 1020)])
    frozen = Sight(1025, 0, [ADD], [(1002, 0)])

    assert judge(thawed, TEN) == Fine(3)
    assert judge(frozen, TEN) == Fine(8)


def test_process_that_is_silent_for_too_long_hangs() -> None:
    limits = Limits(of_silence=30)

    assert judge(Sight(1029, 1000), limits) == Fine(1)
    assert judge(Sight(1030, 1000), limits) == Hung(30, 30)
    assert judge(Sight(1030, 1000, (), [(1010, 1020)]), limits) == Fine(10)


def test_limits_are_read_from_seconds_and_infinity_is_none() -> None:
    limits = Limits.of({"slow": math.inf, "quick": 0.5}, 2.0, Heartbeat(timeout=3))

    assert limits == Limits(
        {"slow": None, "quick": SECOND_NS // 2}, 2 * SECOND_NS, 3 * SECOND_NS
    )
    assert Limits.of({}, None, None) == Limits()


@pytest.mark.parametrize(
    ("late", "grace"),
    [(0, 0), (SECOND_NS, 0), (3 * SECOND_NS, 3), (90 * SECOND_NS, 30)],
    ids=str,
)
def test_supervisor_that_stood_still_gives_the_time_back(late: int, grace: int) -> None:
    assert grace_ns(500, 500 + late, 30 * SECOND_NS) == grace * SECOND_NS
