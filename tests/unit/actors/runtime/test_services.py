"""What every actor answers besides its own messages."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actors.runtime.services import Barriers, Items, Outcome
from actors.wire import failure


def dumps(value: object) -> bytes | None:
    try:
        return pickle.dumps(value)
    except TypeError:
        return None


class Hand:
    begun = 0


def called(
    method: Callable[[Any], Any], *items: object, is_fatal: bool = False
) -> Outcome:
    outcome = Items(method, dumps, Hand, is_fatal=is_fatal)(items)
    return asyncio.run(outcome) if isinstance(outcome, Coroutine) else outcome


def values_of(outcome: Outcome) -> list[Any]:
    values = outcome[0]
    if isinstance(values, bytes):
        loaded: list[Any] = pickle.loads(values)  # noqa: TID251 - what this test has dumped
        return loaded
    return values


def errors_of(outcome: Outcome) -> dict[int, str]:
    loads: Callable[[bytes], object] = pickle.loads  # noqa: TID251 - likewise
    return {place: repr(failure.unpack(body, loads)) for place, body in outcome[1]}


async def inverse_later(number: int) -> float:
    await asyncio.sleep(0)
    return 1 / number


@pytest.mark.parametrize("method", [lambda number: 1 / number, inverse_later])
def test_an_item_that_fails_fails_alone(method: Callable[[int], Any]) -> None:
    outcome = called(method, 1, 0, 2, 0)

    assert values_of(outcome) == [1.0, None, 0.5, None]
    assert errors_of(outcome) == {
        1: "ZeroDivisionError('division by zero')",
        3: "ZeroDivisionError('division by zero')",
    }
    assert outcome[2] > 0


@pytest.mark.parametrize("method", [lambda number: 1 / number, inverse_later])
def test_what_is_to_crash_the_actor_ends_them_all(
    method: Callable[[int], Any],
) -> None:
    with pytest.raises(ZeroDivisionError):
        called(method, 1, 0, 2, is_fatal=True)


def test_a_lack_of_memory_ends_them_all() -> None:
    def fail(_: int) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        called(fail, 1, 2)


def test_the_result_of_one_item_is_left_to_the_codec() -> None:
    assert called(lambda item: item, "x")[0] == ["x"]


def test_a_result_that_cannot_be_pickled_fails_alone() -> None:
    outcome = called(lambda item: item, 1, threading.Lock(), 3)

    assert values_of(outcome) == [1, None, 3]
    assert "of type lock, cannot be pickled" in errors_of(outcome)[1]


def test_a_barrier_with_nobody_busy_is_passed_at_once() -> None:
    assert Barriers().wait(()) is None


async def test_a_barrier_is_passed_when_each_of_the_busy_has_finished_once() -> None:
    barriers = Barriers()
    waiting = barriers.wait(["a", "b"])
    assert waiting is not None
    task = asyncio.create_task(waiting)
    await asyncio.sleep(0)

    barriers.passed("a")
    barriers.passed("c")
    await asyncio.sleep(0)
    was_done = task.done()
    barriers.passed("b")
    await task

    assert not was_done
    assert not barriers
