"""Waiting in tests, in coroutines and out of them."""

from __future__ import annotations

import asyncio
import time

import pytest

from actors import OptionError
from actors.pending import settled
from actors.testing import eventually


class Growing:
    """A number that is one higher at each look."""

    def __init__(self) -> None:
        self.number = -1

    def look(self) -> int:
        self.number += 1
        return self.number


def test_eventually_returns_the_first_value_that_is_true() -> None:
    growing = Growing()

    value = eventually(lambda: growing.look() >= 3 and growing.number).result()

    assert value == 3


async def test_eventually_can_be_awaited() -> None:
    growing = Growing()

    value = await eventually(lambda: growing.look() >= 3 and growing.number)

    assert value == 3


def test_eventually_says_what_it_waited_for_and_what_that_was_last() -> None:
    answers: list[int] = []

    with pytest.raises(AssertionError, match=r"0.02 s: .*lambda: answers.*it was \[\]"):
        eventually(lambda: answers, within=0.02).result()


def test_eventually_waits_for_assertions_and_shows_the_last_that_failed() -> None:
    growing = Growing()

    def is_grown() -> bool:
        assert growing.look() > 2, f"still {growing.number}"
        return True

    assert eventually(is_grown).result()
    growing.number = -(10**9)
    with pytest.raises(AssertionError, match="is_grown: still -") as caught:
        eventually(is_grown, within=0.01).result()
    assert isinstance(caught.value.__cause__, AssertionError)


def test_eventually_passes_other_errors_on_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        eventually(lambda: 1 / 0).result()


def test_eventually_looks_at_the_result_of_a_pending_not_at_the_pending() -> None:
    growing = Growing()

    value = eventually(lambda: settled(growing.look())).result()

    assert value == 1


async def test_eventually_awaits_what_an_async_predicate_returns() -> None:
    growing = Growing()

    async def look() -> int:
        return growing.look()

    assert await eventually(look) == 1


def test_an_async_predicate_without_a_loop_is_refused() -> None:
    async def look() -> bool:
        return True

    with pytest.raises(TypeError, match="only be waited for in a coroutine"):
        eventually(look).result()


async def test_what_never_comes_does_not_outlast_the_deadline() -> None:
    with pytest.raises(AssertionError, match="not within"):
        await eventually(asyncio.Event().wait, within=0.01)


def test_the_deadline_of_eventually_has_to_be_a_number_of_seconds() -> None:
    with pytest.raises(OptionError, match="within=-1"):
        eventually(bool, within=-1)


async def test_result_in_a_coroutine_is_refused() -> None:
    with pytest.raises(RuntimeError, match="in a coroutine, await it"):
        eventually(lambda: True).result()


def test_an_expectation_is_waited_for_once() -> None:
    expectation = eventually(lambda: True)
    expectation.result()

    with pytest.raises(RuntimeError, match="waited for already"):
        expectation.result()


def test_an_expectation_that_nobody_waits_for_warns() -> None:
    expectations = [eventually(lambda: True)]

    with pytest.warns(RuntimeWarning, match="nobody has waited for it"):
        expectations.clear()


def test_eventually_takes_no_processor_time_between_its_looks() -> None:
    used = time.process_time()

    with pytest.raises(AssertionError):
        eventually(lambda: False, within=0.5).result()

    assert time.process_time() - used < 0.4
