"""How far a map is, on a clock that the test moves."""

from __future__ import annotations

import math

import pytest

from actors.pool.meter import Meter, shown_rate, shown_time


def test_the_rate_of_steady_work_is_that_rate_from_the_first_second_on() -> None:
    meter = Meter("work", total=1000)
    rates = []
    for second in range(1, 21):
        meter = meter.after(second, done=50 * second, failed=0, restarts=0)
        rates.append(meter.rate)

    assert rates == [pytest.approx(50.0)] * 20
    assert meter.eta == pytest.approx(0.0)


def test_the_rate_does_not_depend_on_how_often_one_looks() -> None:
    seldom = Meter("work").after(10, done=70, failed=0, restarts=0)
    often = Meter("work")
    for tenth in range(1, 101):
        often = often.after(tenth / 10, done=7 * tenth // 10, failed=0, restarts=0)

    assert often.rate == pytest.approx(seldom.rate, rel=0.02)


def test_what_was_long_ago_counts_little() -> None:
    fast = Meter("work").after(10, done=1000, failed=0, restarts=0)

    slow = fast.after(40, done=1030, failed=0, restarts=0)

    old = math.exp(-3) - math.exp(-4)
    assert slow.rate == pytest.approx(
        (100 * old + 1 - math.exp(-3)) / (1 - math.exp(-4))
    )


def test_the_rate_falls_while_nothing_is_done() -> None:
    meter = Meter("work", total=200).after(1, done=100, failed=0, restarts=0)

    later = meter.after(11, done=100, failed=0, restarts=0)

    assert 0 < later.rate < meter.rate / 5
    assert meter.eta is not None
    assert later.eta is not None
    assert later.eta > meter.eta


def test_the_time_left_is_what_is_left_at_the_rate_of_late() -> None:
    meter = Meter("work", total=100).after(5, done=20, failed=0, restarts=0)

    assert meter.eta == pytest.approx(20.0)


@pytest.mark.parametrize(
    "meter",
    [Meter("work"), Meter("work", total=9), Meter("work").after(2, 5, 0, 0)],
    ids=["new-endless", "new", "endless"],
)
def test_what_nobody_can_tell_is_not_told(meter: Meter) -> None:
    assert meter.eta is None
    assert "ETA" not in meter.figures()


def test_two_looks_at_the_same_moment_do_no_harm() -> None:
    meter = Meter("work", total=9).after(0, done=3, failed=1, restarts=0)

    assert meter.rate == 0
    assert meter.figures() == "3/9, 0.00/s, 1 failed"
    assert meter.share == pytest.approx(1 / 3)


def test_of_nothing_everything_is_done() -> None:
    assert Meter("work", total=0).share == 1.0


def test_all_figures_are_told() -> None:
    meter = Meter("Resize.run", total=400).after(10, done=100, failed=2, restarts=1)

    assert meter.figures() == "100/400, 10.0/s, 2 failed, 1 restart, ETA 0:30"
    summary = "Resize.run: 100/400 in 0:10 (10.0/s), 2 failed, 1 restart"
    assert meter.summary() == summary


def test_rates_have_three_figures() -> None:
    shown = [shown_rate(rate) for rate in (0.516, 7.25, 78.34, 1204.4)]

    assert shown == ["0.52", "7.25", "78.3", "1,204"]


def test_times_are_as_on_a_watch() -> None:
    shown = [shown_time(seconds) for seconds in (0, 6.2, 750, 3900, 1e9)]

    assert shown == ["0:00", "0:07", "12:30", "1:05:00", "∞"]
