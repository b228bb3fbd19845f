"""A method over many items: lazy, bounded, in order or not, with failures that carry their items."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from actors import (
    ActorCrashedError,
    ActorSystem,
    HashBy,
    ItemError,
    OptionError,
    Pool,
    RemoteError,
)
from actors.testing import eventually
from tests.support.gates import SECONDS, Turnstile
from tests.support.pool_workers import Hand


@pytest.fixture(scope="module")
def pool(system: ActorSystem) -> Iterator[Pool[Hand]]:
    made = system.options(size=2).pool(Hand).result()
    yield made
    made.stop().result()


def test_results_come_in_the_order_of_the_items(pool: Pool[Hand]) -> None:
    results = list(pool.map(Hand.double, range(1000)))

    assert results == [2 * number for number in range(1000)]


async def test_results_come_in_a_coroutine_in_the_order_of_the_items(
    pool: Pool[Hand],
) -> None:
    results = [result async for result in pool.map(Hand.double, range(1000))]

    assert results == [2 * number for number in range(1000)]


def test_a_coroutine_as_handler_gets_items_as_well(pool: Pool[Hand]) -> None:
    results = list(pool.map(Hand.double_later, range(300), in_flight=200))

    assert results == [2 * number for number in range(300)]


async def test_results_without_order_are_complete(pool: Pool[Hand]) -> None:
    results = [
        result async for result in pool.map(Hand.double, range(500), ordered=False)
    ]

    assert sorted(results) == [2 * number for number in range(500)]


def test_without_order_a_slow_item_holds_up_no_other(
    pool: Pool[Hand], turnstile: Turnstile
) -> None:
    held = pool.ask(Hand.pass_through, turnstile.path)

    results = list(pool.map(Hand.double, range(20), ordered=False))

    assert sorted(results) == [2 * number for number in range(20)]
    turnstile.let(1)
    held.result()


async def test_items_may_come_one_by_one_from_an_asynchronous_iterable(
    pool: Pool[Hand],
) -> None:
    async def items() -> AsyncIterator[int]:
        for number in range(50):
            await asyncio.sleep(0)
            yield number

    results = [result async for result in pool.map(Hand.double, items(), in_flight=3)]

    assert results == [2 * number for number in range(50)]


async def test_a_result_is_given_out_while_the_next_item_is_still_awaited(
    pool: Pool[Hand],
) -> None:
    go_on = asyncio.Event()

    async def items() -> AsyncIterator[int]:
        yield 1
        await go_on.wait()
        yield 2

    results = []
    async for result in pool.map(Hand.double, items()):
        results.append(result)
        go_on.set()

    assert results == [2, 4]


@pytest.mark.parametrize("ordered", [True, False])
def test_an_endless_iterable_is_held_in_no_more_items_than_may_be_in_flight(
    pool: Pool[Hand],
    ordered: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    taken = itertools.count()
    given: list[int] = []

    for result in pool.map(Hand.double, taken, in_flight=16, ordered=ordered):
        given.append(result)
        if len(given) == 200:
            break

    assert next(taken) <= 200 + 16


async def test_an_endless_asynchronous_iterable_is_held_in_no_more_items_either(
    pool: Pool[Hand],
) -> None:
    taken = []

    async def items() -> AsyncIterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    results = pool.map(Hand.double, items(), in_flight=8)
    async with contextlib.aclosing(aiter(results)) as given:  # type: ignore[type-var]
        async for result in given:
            if result == 200:
                break

    assert len(taken) <= 101 + 8


def test_nothing_is_taken_before_the_first_result_is_asked_for(
    pool: Pool[Hand],
) -> None:
    taken = itertools.count()

    pool.map(Hand.double, taken)

    assert next(taken) == 0


def test_leaving_the_loop_withdraws_what_nobody_has_taken(
    system: ActorSystem, turnstile: Turnstile
) -> None:
    pool = system.options(size=1).pool(Hand).result()
    turnstile.let(1)
    gates = itertools.repeat(turnstile.path)

    for _ in pool.map(Hand.pass_through, gates, in_flight=10):
        break
    turnstile.let(2)
    pool.drain().result()

    # Only the second item may have been in hand already.
    assert turnstile.left() >= 1
    pool.stop().result()


@pytest.mark.parametrize("in_flight", [1, 4, 64, 1000])
def test_a_failure_is_raised_in_its_place_with_its_item(
    pool: Pool[Hand], in_flight: int
) -> None:
    results = pool.map(Hand.divide, [1, 2, 0, 4], in_flight=in_flight)
    given: list[float] = []

    with pytest.raises(ItemError, match="item 0: ZeroDivisionError") as failure:
        given.extend(results)

    assert given == [1.0, 0.5]
    assert failure.value.item == 0
    assert isinstance(failure.value.error, ZeroDivisionError)
    assert isinstance(failure.value.error.__cause__, RemoteError)


def test_failures_are_among_the_results_where_that_is_wanted(pool: Pool[Hand]) -> None:
    numbers = [*range(1, 200), 0, *range(1, 200)]

    results = list(pool.map(Hand.divide, numbers, return_exceptions=True))

    failed = [result for result in results if isinstance(result, ItemError)]
    assert len(results) == 399
    assert results[199] is failed[0]
    assert [failure.item for failure in failed] == [0]


def test_the_death_of_a_worker_fails_what_it_had_in_hand_and_nothing_else(
    pool: Pool[Hand],
) -> None:
    results = list(pool.map(Hand.die_of_three, range(8), return_exceptions=True))

    failed = [result for result in results if isinstance(result, ItemError)]
    assert 3 in [failure.item for failure in failed]
    assert all(isinstance(failure.error, ActorCrashedError) for failure in failed)
    assert len(failed) <= 2
    assert {*range(8)} == {
        result.item if isinstance(result, ItemError) else result for result in results
    }


AMONG_OTHERS = [*range(10, 400), 3, *range(400, 800)]  # of which 3 is fatal


def test_the_death_of_a_worker_fails_no_item_that_it_had_not_begun(
    pool: Pool[Hand],
) -> None:
    results = list(
        pool.map(Hand.die_of_three, AMONG_OTHERS, return_exceptions=True, in_flight=200)
    )

    failed = [place for place, each in enumerate(results) if type(each) is ItemError]
    fatal = AMONG_OTHERS.index(3)
    assert failed == [*range(failed[0], fatal + 1)]
    assert [*results[: failed[0]], *results[fatal + 1 :]] == [
        *AMONG_OTHERS[: failed[0]],
        *AMONG_OTHERS[fatal + 1 :],
    ]


def test_the_death_of_a_worker_fails_its_item_alone_where_others_may_be_done_twice(
    pool: Pool[Hand],
) -> None:
    patient = pool.options(retries=1, redeliver=True)

    results = list(
        patient.map(
            Hand.die_of_three, AMONG_OTHERS, return_exceptions=True, in_flight=200
        )
    )

    failed = [each for each in results if isinstance(each, ItemError)]
    assert [each.item for each in failed] == [3]
    assert [each for each in results if not isinstance(each, ItemError)] == [
        each for each in AMONG_OTHERS if each != 3
    ]


async def test_every_item_is_done_or_failed_once_while_workers_die(
    pool: Pool[Hand],
) -> None:
    numbers = [number % 100 for number in range(1000)]  # ten of which are fatal

    found = [
        each
        async for each in pool.map(
            Hand.die_of_three,
            numbers,
            return_exceptions=True,
            ordered=False,
            in_flight=200,
        )
    ]

    items: list[Any] = [
        each.item if isinstance(each, ItemError) else each for each in found
    ]
    assert sorted(items) == sorted(numbers)


def test_an_item_that_cannot_travel_fails_alone(pool: Pool[Hand]) -> None:
    items: list[object] = [*range(100), threading.Lock(), *range(100)]

    results = list(pool.map(Hand.index_of, items, return_exceptions=True))

    failed = [result for result in results if isinstance(result, ItemError)]
    assert [failure.item for failure in failed] == [items[100]]
    assert len(results) == 201


def test_a_result_that_cannot_travel_fails_alone(pool: Pool[Hand]) -> None:
    numbers = [0] * 200 + [1] + [0] * 200

    results = list(pool.map(Hand.lock, numbers, in_flight=300, return_exceptions=True))

    failed = [result for result in results if isinstance(result, ItemError)]
    assert [failure.item for failure in failed] == [1]
    assert results.count(0) == 400


def test_what_the_iterable_raises_comes_after_the_results_before_it(
    pool: Pool[Hand],
) -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        msg = "no more"
        raise LookupError(msg)

    given: list[float] = []

    with pytest.raises(LookupError, match="no more"):
        given.extend(pool.map(Hand.double, items()))

    assert given == [2, 4]


async def test_what_an_asynchronous_iterable_raises_comes_after_the_results_before_it(
    pool: Pool[Hand],
) -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        yield 2
        msg = "no more"
        raise LookupError(msg)

    results = aiter(pool.map(Hand.double, items()))

    given = [await anext(results), await anext(results)]
    with pytest.raises(LookupError, match="no more"):
        await anext(results)

    assert given == [2, 4]


def test_items_by_key_go_to_their_workers(system: ActorSystem) -> None:
    pool = system.options(size=3, routing=HashBy()).pool(Hand).result()
    keys = ["ada", "bob", "cleo", "dan"] * 20

    workers = list(pool.map(Hand.index_of, keys))

    assert len(set(zip(keys, workers, strict=True))) == 4
    pool.stop().result()


async def test_a_plain_loop_in_a_coroutine_is_refused(pool: Pool[Hand]) -> None:
    with pytest.raises(RuntimeError, match="use 'async for'"):
        iter(pool.map(Hand.double, range(3)))


def test_results_can_be_gone_through_once(pool: Pool[Hand]) -> None:
    results = pool.map(Hand.double, range(3))
    list(results)

    with pytest.raises(RuntimeError, match="once"):
        list(results)


def test_mistakes_are_refused_at_the_call(pool: Pool[Hand]) -> None:
    with pytest.raises(OptionError, match="in_flight=0: a whole number, 1 or more"):
        pool.map(Hand.double, [], in_flight=0)
    with pytest.raises(TypeError, match="items=7: anything to iterate over"):
        pool.map(Hand.double, 7)  # type: ignore[call-overload]


async def test_all_that_may_be_in_flight_is_where_the_first_items_take_long(
    pool: Pool[Hand], turnstile: Turnstile
) -> None:
    """Few messages go out before it is known what items take; with items that take long it would stay at that."""
    items = [turnstile.path] * 12

    async def go_through() -> list[int]:
        return [each async for each in pool.map(Hand.pass_through, items)]

    going = asyncio.create_task(go_through())
    await eventually(lambda: pool.stats().queued == 10, within=SECONDS)
    turnstile.let(12)

    assert set(await going) <= {0, 1}
