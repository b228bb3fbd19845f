"""Ending calls of an executor: those that were meant end, and nothing else does."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import random
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import pytest

from actors import (
    ActorCrashedError,
    ActorSystem,
    CallTimeoutError,
    Executor,
    OptionError,
)
from tests.support import executor_calls as calls
from tests.support.gates import SECONDS, wait_until
from tests.support.procfs import is_gone

SEED = 7


@pytest.fixture(scope="module")
def executor(system: ActorSystem) -> Iterator[Executor]:
    with Executor(2, system=system) as running:
        yield running


def pid_in(path: Path) -> int:
    """Return the process that has written *path*."""
    wait_until(path.exists, "a call that runs")
    return int(path.read_text())


def has_begun(future: Future[Any]) -> bool:
    return future.running() or future.done()


def submit_hanging(
    executor: Executor, path: Path, count: int, hang: Callable[[str], Any] = calls.hang
) -> tuple[list[Future[Any]], list[int]]:
    """Have *count* calls hang, and return them with their processes."""
    futures: list[Future[Any]] = [
        executor.submit(hang, str(path / str(number))) for number in range(count)
    ]
    return futures, [pid_in(path / str(number)) for number in range(count)]


@pytest.mark.parametrize("hang", [calls.hang, calls.hang_in_c])
def test_cancel_of_a_running_call_ends_its_process(
    hang: Callable[[str], Any], executor: Executor, tmp_path: Path
) -> None:
    (future,), (pid,) = submit_hanging(executor, tmp_path, 1, hang)
    wait_until(future.running, "the call to be known to run")

    assert future.cancel()

    assert future.cancelled()
    assert not future.running()
    wait_until(lambda: is_gone(pid), "the end of the process")


def test_cancel_of_a_finished_call_changes_nothing(executor: Executor) -> None:
    future = executor.submit(calls.double, 4)
    future.result(SECONDS)

    assert not future.cancel()

    assert future.result() == 8


def test_whoever_waits_for_a_cancelled_call_is_told_at_once(
    executor: Executor, tmp_path: Path
) -> None:
    (future,), _ = submit_hanging(executor, tmp_path, 1)
    told = threading.Event()
    future.add_done_callback(lambda _: told.set())

    future.cancel()

    assert told.is_set()
    assert concurrent.futures.wait([future], SECONDS).done == {future}
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(SECONDS)


def check_that_only_the_cancelled_stop(
    system: ActorSystem, directory: Path, running: int, waiting: int
) -> None:
    log = directory / "log"
    with Executor(running, system=system) as executor:
        hanging, pids = submit_hanging(executor, directory, running)
        doomed = [
            executor.submit(calls.add_line, str(log), f"doomed {number}")
            for number in range(waiting)
        ]
        kept = [
            executor.submit(calls.add_line, str(log), f"kept {number}")
            for number in range(waiting)
        ]

        cancelled = [future.cancel() for future in (*hanging, *doomed)]
        concurrent.futures.wait(kept, SECONDS)

    assert all(cancelled)
    assert all(is_gone(pid) for pid in pids)
    assert sorted(log.read_text().splitlines()) == sorted(
        f"kept {number}" for number in range(waiting)
    )
    assert all(future.exception() is None for future in kept)


def test_only_the_running_and_waiting_calls_stop_that_are_cancelled(
    system: ActorSystem, tmp_path: Path
) -> None:
    check_that_only_the_cancelled_stop(system, tmp_path, 5, 20)


@pytest.mark.slow
def test_only_the_calls_stop_that_are_cancelled_of_a_hundred_and_a_hundred(
    system: ActorSystem, tmp_path: Path
) -> None:
    check_that_only_the_cancelled_stop(system, tmp_path, 100, 100)


@pytest.mark.parametrize(
    "count", [200, pytest.param(5000, marks=pytest.mark.slow)], ids=str
)
def test_a_cancel_never_hits_the_next_call_of_the_worker(
    count: int, executor: Executor, tmp_path: Path
) -> None:
    """Calls of half a millisecond are cancelled when they are about to be over: a kill that was late would cost another one."""
    luck = random.Random(SEED)
    log = tmp_path / "log"
    futures = []
    spared = []
    for number in range(count):
        future = executor.submit(calls.add_line, str(log), str(number), 0.0005)
        futures.append(future)
        if number % 2:
            spared.append(number)
            continue
        wait_until(functools.partial(has_begun, future), "a call to begin")
        concurrent.futures.wait([future], luck.random() * 0.001)
        future.cancel()

    concurrent.futures.wait(futures, SECONDS)

    executed = log.read_text().split()
    failed = [
        n for n, each in enumerate(futures) if not each.cancelled() and each.exception()
    ]
    assert failed == []
    assert len({*executed}) == len(executed)
    assert {*executed} >= {
        str(n) for n, each in enumerate(futures) if not each.cancelled()
    }
    assert not any(futures[number].cancelled() for number in spared)


def test_a_deadline_ends_a_call_that_runs(executor: Executor, tmp_path: Path) -> None:
    path = tmp_path / "pid"

    future: Future[Any] = executor.within(0.1).submit(calls.hang, str(path))

    with pytest.raises(
        CallTimeoutError, match=r"hang was not over within 0.1 s.*it had run"
    ):
        future.result(SECONDS)
    wait_until(lambda: is_gone(pid_in(path)), "the end of the process")


def test_a_deadline_ends_a_call_that_waits(system: ActorSystem, tmp_path: Path) -> None:
    with Executor(1, system=system) as executor:
        (hanging,), _ = submit_hanging(executor, tmp_path, 1)

        future = executor.within(0.01).submit(calls.note, str(tmp_path / "late"))

        with pytest.raises(TimeoutError, match="it waited for a worker"):
            future.result(SECONDS)
        hanging.cancel()
        executor.submit(calls.double, 1).result(SECONDS)
    assert not (tmp_path / "late").exists()


def test_a_call_within_its_deadline_is_not_affected_by_it(executor: Executor) -> None:
    limited = executor.within(SECONDS)

    assert limited.submit(calls.double, 4).result(SECONDS) == 8
    assert list(limited.map(calls.double, [1, 2])) == [2, 4]


def test_a_deadline_that_is_no_time_is_refused(executor: Executor) -> None:
    with pytest.raises(OptionError, match="timeout='soon'"):
        executor.within("soon")  # type: ignore[arg-type]


def test_a_limit_of_each_call_shows_where_it_was(
    system: ActorSystem, tmp_path: Path
) -> None:
    with Executor(1, system=system, handler_timeout=0.1) as executor:
        future: Future[Any] = executor.submit(calls.hang, str(tmp_path / "pid"))

        with pytest.raises(ActorCrashedError, match=r"(?s)took too long.*in hang"):
            future.result(SECONDS)


def test_cancelling_a_task_ends_the_call_that_it_awaits(
    executor: Executor, tmp_path: Path
) -> None:
    path = tmp_path / "pid"

    async def main() -> int:
        loop = asyncio.get_running_loop()
        call = loop.run_in_executor(executor, calls.hang, str(path))
        await loop.run_in_executor(None, pid_in, path)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return pid_in(path)

    pid = asyncio.run(main())

    wait_until(lambda: is_gone(pid), "the end of the process")


def test_leaving_an_iteration_ends_the_calls_that_are_left(
    executor: Executor, tmp_path: Path
) -> None:
    paths = [tmp_path / str(number) for number in range(2)]
    results = executor.map(calls.hang_unless_empty, ["", *map(str, paths)])
    next(results)
    pids = [pid_in(path) for path in paths]

    cast("Generator[None, None, None]", results).close()

    wait_until(lambda: all(map(is_gone, pids)), "the end of the processes")
