from __future__ import annotations

import math

import pytest

from actors import OptionError
from actors.supervision.backoff import Backoff, Streak, never_gives_up


def test_delays_double_up_to_the_largest() -> None:
    backoff = Backoff(jitter=0)

    delays = [backoff.delay(attempt, 0.9) for attempt in range(11)]

    assert delays == pytest.approx(
        [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]
    )


def test_delay_never_overflows() -> None:
    assert Backoff(factor=1000, jitter=0).delay(10**6, 0) == 30


def test_luck_adds_its_part_of_the_jitter() -> None:
    assert Backoff(min=1, jitter=0.5).delay(0, 0.5) == 1.25


@pytest.mark.parametrize(
    ("backoff", "seconds"),
    [(Backoff(), 15.05), (Backoff(min=1, max=3), 2), (Backoff(reset_after=7), 7)],
)
def test_life_is_stable_from_the_middle_unless_said_otherwise(
    backoff: Backoff, seconds: float
) -> None:
    assert backoff.stable_after == seconds


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"min": 0}, "min=0: a number of seconds above 0"),
        ({"min": "1"}, "min='1': a number of seconds above 0"),
        ({"max": math.inf}, "max=inf: a number of seconds above 0"),
        ({"min": 2, "max": 1}, "max=1: no less than min=2"),
        ({"factor": 0.5}, "factor=0.5: a number, 1 or more"),
        ({"jitter": 1.5}, "jitter=1.5: a number from 0 to 1"),
        ({"reset_after": -1}, "reset_after=-1: a number of seconds above 0"),
    ],
)
def test_backoff_refuses_what_is_no_delay(options: dict[str, float], text: str) -> None:
    with pytest.raises(OptionError) as caught:
        Backoff(**options)

    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("lived", "streak"),
    [
        (None, Streak(3, 5)),
        (0.0, Streak(3, 5)),
        (9.99, Streak(3, 5)),
        (10.0, Streak()),
    ],
)
def test_streak_ends_with_a_life_that_is_long_enough(
    lived: float | None, streak: Streak
) -> None:
    assert Streak(3, 4).after(lived, 10.0) == streak


def test_streak_exceeds_with_one_short_life_more_than_allowed() -> None:
    assert not Streak(short_lives=2).exceeds(2)
    assert Streak(short_lives=3).exceeds(2)
    assert not Streak(short_lives=3).exceeds(None)


@pytest.mark.parametrize(
    ("backoff", "max_in_a_row", "intensity", "endless"),
    [
        (Backoff(min=2), None, 3, True),
        (Backoff(min=1), None, 3, False),
        (Backoff(min=2), 5, 3, False),
        (None, None, 3, False),
        (Backoff(min=2), None, math.inf, False),
    ],
)
def test_delays_that_empty_the_window_are_found_out(
    backoff: Backoff | None,
    max_in_a_row: int | None,
    intensity: float,
    *,
    endless: bool,
) -> None:
    found = never_gives_up(backoff, max_in_a_row, intensity=intensity, period=5.0)

    assert found is endless
