"""Calls that are tried again."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import (
    ActorCrashedError,
    ActorSystem,
    AskTimeoutError,
    Backoff,
    OptionError,
    Pool,
)
from tests.support.gates import Turnstile, wait_until
from tests.support.pool_workers import Hand


@pytest.fixture(scope="module")
def pool(system: ActorSystem) -> Iterator[Pool[Hand]]:
    made = system.options(size=2).pool(Hand).result()
    yield made
    made.stop().result()


@pytest.fixture
def tries(tmp_path: Path) -> str:
    return str(tmp_path / "tries")


def test_a_call_whose_worker_dies_is_tried_again(pool: Pool[Hand], tries: str) -> None:
    patient = pool.options(retries=3, redeliver=True)

    assert patient.ask(Hand.die_until, tries, 3).result() == 3


def test_a_call_is_not_tried_again_after_a_death_unless_that_is_allowed(
    pool: Pool[Hand], tries: str
) -> None:
    stubborn = pool.options(retries=3, retry_on=(ConnectionError,))

    with pytest.raises(ActorCrashedError):
        stubborn.ask(Hand.die_until, tries, 3).result()

    assert Path(tries).stat().st_size == 1


def test_a_call_that_fails_each_time_fails_with_the_last_error_and_says_how_often(
    pool: Pool[Hand], tries: str
) -> None:
    patient = pool.options(retries=2, retry_on=(ConnectionError,))

    with pytest.raises(ConnectionError, match="only 3") as failure:
        patient.ask(Hand.count_up_to, tries, 9).result()

    assert "after 3 attempts" in failure.value.__notes__


def test_delays_between_attempts_need_no_loop(pool: Pool[Hand], tries: str) -> None:
    patient = pool.options(
        retries=3, retry_on=(OSError,), backoff=Backoff(min=0.01, max=0.02, jitter=0.0)
    )
    began = time.monotonic()

    assert patient.ask(Hand.count_up_to, tries, 3).result() == 3

    assert time.monotonic() - began >= 0.03


async def test_delays_between_attempts_work_in_a_loop(
    pool: Pool[Hand], tmp_path: Path
) -> None:
    patient = pool.options(
        retries=3, retry_on=(OSError,), backoff=Backoff(min=0.01, jitter=0.0)
    )
    paths = [str(tmp_path / f"tries-{number}") for number in range(5)]

    counts = await asyncio.gather(
        *(patient.ask(Hand.count_up_to, path, 3) for path in paths)
    )

    assert counts == [3] * 5


def test_all_attempts_have_one_deadline(pool: Pool[Hand], tries: str) -> None:
    impatient = pool.options(
        timeout=0.05, retries=9, retry_on=(OSError,), backoff=Backoff(min=0.04)
    )

    with pytest.raises((ConnectionError, AskTimeoutError)):
        impatient.ask(Hand.count_up_to, tries, 99).result()

    assert Path(tries).stat().st_size <= 2


async def test_a_cancelled_call_is_not_tried_again(
    system: ActorSystem, tmp_path: Path, tries: str
) -> None:
    turnstile = Turnstile(tmp_path / "turnstile")
    pool = await system.options(size=1).pool(Hand)
    held = pool.ask(Hand.pass_through, turnstile.path)
    waiting = asyncio.create_task(
        pool.options(retries=3, redeliver=True).ask(Hand.die_until, tries, 2)
    )
    await asyncio.sleep(0)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    turnstile.let(1)
    await held
    await pool.drain()

    assert not os.path.exists(tries)  # noqa: ASYNC240, PTH110 - it takes no time
    turnstile.close()
    await pool.stop()


def test_a_map_is_tried_again_chunk_by_chunk(pool: Pool[Hand]) -> None:
    patient = pool.options(retries=5, redeliver=True)
    results = iter(patient.map(Hand.double, range(2000), in_flight=256))
    given = [next(results) for _ in range(100)]

    for pid in (worker.pid for worker in pool.stats().workers):
        os.kill(pid, 9)
    given += results

    assert given == [2 * number for number in range(2000)]
    wait_until(lambda: pool.broadcast(Hand.pid).result(), "everybody back")


def test_retries_after_nothing_are_refused(pool: Pool[Hand]) -> None:
    with pytest.raises(OptionError, match="redeliver=True for a call that does no"):
        pool.options(retries=3)
