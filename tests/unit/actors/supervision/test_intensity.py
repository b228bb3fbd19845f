from __future__ import annotations

import math
import random

import pytest

from actors.supervision.intensity import Window


def charge(*times: float, intensity: float = 3, period: float = 5.0) -> Window:
    window = Window()
    for time in times:
        window = window.charged(time, intensity=intensity, period=period)
    return window


def test_window_puts_up_with_as_many_restarts_as_the_intensity() -> None:
    window = charge(0.0, 1.0, 2.0)

    assert not window.exceeds(3)


def test_window_exceeds_with_one_restart_more_than_the_intensity() -> None:
    window = charge(0.0, 1.0, 2.0, 3.0)

    assert window.exceeds(3)
    assert window.count == 4


def test_window_slides_instead_of_starting_afresh() -> None:
    window = charge(0.0, 1.0, 2.0, 5.2)

    assert window.restarts == (1.0, 2.0, 5.2)
    assert not window.exceeds(3)
    assert window.charged(5.5, intensity=3, period=5.0).exceeds(3)


def test_window_keeps_a_restart_that_is_exactly_one_period_old() -> None:
    window = charge(0.0, 1.0, 2.0, 5.0)

    assert window.restarts == (0.0, 1.0, 2.0, 5.0)


def test_window_drops_a_restart_that_is_older_than_the_period() -> None:
    window = charge(0.0, 1.0, 2.0, math.nextafter(5.0, 6.0))

    assert window.restarts[0] == 1.0


def test_window_exceeds_at_the_first_restart_when_the_intensity_is_zero() -> None:
    window = charge(7.0, intensity=0)

    assert window.exceeds(0)


def test_window_counts_every_restart_of_a_batch() -> None:
    window = charge(0.0, 1.0)

    window = window.charged(1.5, intensity=3, period=5.0, restarts=2)

    assert window.count == 4
    assert window.exceeds(3)


def test_window_never_grows_nor_exceeds_when_the_intensity_is_infinite() -> None:
    window = charge(*range(100), intensity=math.inf)

    assert window == Window()
    assert not window.exceeds(math.inf)


def test_window_leaves_the_value_it_was_made_from_alone() -> None:
    window = charge(1.0)

    window.charged(2.0, intensity=3, period=5.0)

    assert window.restarts == (1.0,)


@pytest.mark.parametrize("seed", range(20))
def test_window_agrees_with_counting_every_death_again(seed: int) -> None:
    rng = random.Random(seed)
    intensity, period = rng.randrange(5), rng.randrange(1, 21) / 4
    window, deaths, now = Window(), list[float](), 0.0

    for _ in range(200):
        # Quarters of a second are exact, so the edge of the window is met often.
        now += rng.randrange(9) / 4
        batch = rng.choice([1, 1, 1, 2])
        deaths += [now] * batch
        window = window.charged(now, intensity=intensity, period=period, restarts=batch)
        recent = [death for death in deaths if now - death <= period]

        assert window.exceeds(intensity) == (len(recent) > intensity)
        assert list(window.restarts) == recent
