"""How many workers a pool should have."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from actors import OptionError
from actors.pool.autoscale import Autoscale, Calm, Look, decide
from actors.testing.clock import ManualClock

SETTINGS = Autoscale(min=1, max=8, target=0.1, dwell=2.0)


def size_for(
    age: float, size: int = 4, busy: int = 4, settings: Autoscale = SETTINGS
) -> int:
    return decide(settings, Calm(), Look(0.0, size, busy, age))[0]


@pytest.mark.parametrize(
    ("age", "expected"),
    [(0.0, 4), (0.1, 4), (0.11, 5), (0.15, 6), (0.2, 8), (9.0, 8)],
)
def test_a_pool_grows_with_the_age_of_the_oldest_message(
    age: float, expected: int
) -> None:
    assert size_for(age) == expected


def test_a_pool_grows_at_most_to_twice_its_size_at_one_go() -> None:
    assert size_for(60.0, size=2) == 4


def test_a_pool_never_exceeds_its_maximum() -> None:
    assert size_for(60.0, size=8, busy=8) == 8


def looked(*looks: tuple[float, int, int, float]) -> list[int]:
    calm = Calm()
    sizes = []
    for look in looks:
        size, calm = decide(SETTINGS, calm, Look(*look))
        sizes.append(size)
    return sizes


def test_a_pool_loses_one_worker_after_each_dwell_of_calm() -> None:
    calm = [(second, 4, 0, 0.0) for second in (0.0, 1.0, 2.0, 3.0, 4.0)]

    assert looked(*calm) == [4, 4, 3, 4, 3]


def test_a_message_that_waits_ends_the_calm() -> None:
    looks = [(0.0, 4, 0, 0.0), (1.9, 4, 0, 0.06), (2.0, 4, 0, 0.0), (3.9, 4, 0, 0.0)]

    assert looked(*looks) == [4, 4, 4, 4]


def test_a_pool_in_which_everybody_is_busy_loses_nobody() -> None:
    looks = [(float(second), 4, 4, 0.0) for second in range(10)]

    assert looked(*looks) == [4] * 10


def test_a_pool_keeps_its_minimum() -> None:
    looks = [(float(second), 1, 0, 0.0) for second in range(10)]

    assert looked(*looks) == [1] * 10


# Messages that came in each quarter of a second, as they were recorded: calm, a rush, calm, waves, calm.
TRACE = (
    *[1] * 8,
    *[12] * 12,
    *[2] * 24,
    *[9, 0, 0, 0] * 6,
    *[0] * 40,
)


def test_a_recorded_load_gives_the_expected_sizes() -> None:
    clock = ManualClock()
    settings = Autoscale(min=1, max=8, target=0.2, dwell=2.0)
    queue: deque[float] = deque()
    size, calm = 1, Calm()
    sizes: list[int] = []

    for arrivals in TRACE:
        queue.extend([clock.time()] * arrivals)
        taken = min(len(queue), 2 * size)  # a worker takes 0.125 s for a message
        for _ in range(taken):
            queue.popleft()
        clock.advance(0.25)
        age = clock.time() - queue[0] if queue else 0.0
        look = Look(clock.time(), size, min(size, (taken + 1) // 2), age)
        size, calm = decide(settings, calm, look)
        sizes.append(size)

    rush, waves, at_rest = (8, 14), (5, 33), (1, 11)
    assert runs(sizes) == [
        *[(1, 8), (2, 1), (4, 1), rush],
        *[(7, 8), (6, 8), waves],
        *[(4, 8), (3, 8), (2, 8), at_rest],
    ]


def runs(sizes: list[int]) -> list[tuple[int, int]]:
    """Return how often in a row each size came."""
    found: list[tuple[int, int]] = []
    for size in sizes:
        if found and found[-1][0] == size:
            found[-1] = (size, found[-1][1] + 1)
        else:
            found.append((size, 1))
    return found


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"min": 0, "max": 4}, "min=0: a whole number of workers"),
        ({"min": 4, "max": 3}, "max=3: no less than min=4"),
        ({"max": 4, "target": 0}, "target=0: a number of seconds above 0"),
        ({"max": 4, "dwell": -1}, "dwell=-1: a number of seconds above 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    options: dict[str, Any], text: str
) -> None:
    with pytest.raises(OptionError, match=text):
        Autoscale(**options)
