"""When progress is shown, and what is counted."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from actors.pool.meter import Meter
from actors.pool.progress import Progress, Restarts


@attrs.define
class Board:
    """A display that remembers."""

    period: float = 0.1
    shown: list[Meter] = attrs.field(factory=list)
    finished: list[Meter] = attrs.field(factory=list)
    seen: asyncio.Event = attrs.field(factory=asyncio.Event)

    def begin(self, meter: Meter) -> None:
        self.shown.append(meter)

    def show(self, meter: Meter) -> None:
        self.shown.append(meter)
        self.seen.set()

    def finish(self, meter: Meter) -> None:
        self.finished.append(meter)


@attrs.define
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_is_shown_when_it_is_time_and_not_before() -> None:
    board, clock = Board(), Clock()
    progress = Progress(board, Meter("work", 10), dict, clock)

    for _ in range(10):
        progress.done += 1
        clock.now += 0.04
        progress.look()

    assert [meter.done for meter in board.shown] == [0, 3, 6, 9]


def test_the_end_is_shown_with_everything_that_was_counted() -> None:
    board, clock = Board(), Clock()
    lives = {"a": 3}
    progress = Progress(board, Meter("work"), lambda: lives, clock)
    progress.done, progress.failed, lives["a"] = 7, 2, 5
    clock.now += 2

    progress.close()

    (end,) = board.finished
    assert (end.done, end.failed, end.restarts, end.seconds) == (7, 2, 2, 2.0)


async def test_where_a_loop_runs_it_is_shown_without_results_until_the_end() -> None:
    board = Board(period=0.001)
    progress = Progress(board, Meter("work"), dict)
    progress.tick()

    await board.seen.wait()
    progress.close()

    shown = len(board.shown)
    await asyncio.sleep(0.005)
    assert len(board.shown) == shown > 1


@pytest.mark.parametrize(
    ("lives", "expected"),
    [
        ([{"a": 1, "b": 4}], 0),
        ([{"a": 2, "b": 6}], 3),
        ([{"a": 3}, {"b": 5}], 3),  # one is gone, and comes back
        ([{"a": 1, "b": 4, "c": 1}, {"c": 3}], 2),  # one is new
    ],
)
def test_restarts_are_those_since_the_beginning(
    lives: list[dict[str, int]], expected: int
) -> None:
    restarts = Restarts({"a": 1, "b": 4})

    seen = [restarts.seen(each) for each in lives]

    assert seen[-1] == expected
