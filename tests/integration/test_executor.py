"""``actors.Executor``: what a call can come to, and that it is the only one that does."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog

from actors import (
    ActorCrashedError,
    ActorSystem,
    Executor,
    ExecutorBrokenError,
    NotSerializableError,
    OptionError,
    RemoteError,
    UnhandledMessageError,
)
from actors.errors import DecodeError
from tests.support import executor_calls as calls
from tests.support.gates import SECONDS, Gate, wait_until


@pytest.fixture(scope="module")
def executor(system: ActorSystem) -> Iterator[Executor]:
    """Two workers for all tests of the module, in a system that is not theirs."""
    with Executor(2, system=system) as running:
        yield running


def test_submit_passes_every_argument_to_the_function(executor: Executor) -> None:
    future = executor.submit(calls.capture, 1, self=2, fn=3)

    assert future.result(SECONDS) == ((1,), {"self": 2, "fn": 3})


def test_lambdas_and_closures_are_called(executor: Executor) -> None:
    offset = 5

    futures = [executor.submit(lambda n: n + offset, number) for number in range(3)]

    assert [future.result(SECONDS) for future in futures] == [5, 6, 7]


def test_a_function_may_run_a_loop_of_its_own(executor: Executor) -> None:
    async def think() -> str:
        await asyncio.sleep(0)
        return "thought"

    future = executor.submit(lambda: asyncio.run(think()))

    assert future.result(SECONDS) == "thought"


def test_an_async_function_is_awaited_in_its_worker(executor: Executor) -> None:
    async def think() -> int:
        await asyncio.sleep(0)
        return os.getpid()

    future: Future[Any] = executor.submit(think)

    assert future.result(SECONDS) != os.getpid()


def test_arguments_are_those_of_the_moment_of_the_call(executor: Executor) -> None:
    words = ["before"]

    future = executor.submit(len, words)
    words.append("after")

    assert future.result(SECONDS) == 1


def test_large_arrays_travel_both_ways(executor: Executor) -> None:
    numbers = np.arange(500_000)

    future: Future[Any] = executor.submit(np.negative, numbers)

    assert np.array_equal(future.result(SECONDS), -numbers)


def test_map_gives_results_in_order_whatever_the_chunks(executor: Executor) -> None:
    for chunksize in (1, 3, 100):
        found = list(executor.map(calls.double, range(10), chunksize=chunksize))

        assert found == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]


@pytest.mark.parametrize("chunksize", [1, 3])
def test_map_awaits_async_functions_whatever_the_chunks(
    executor: Executor, chunksize: int
) -> None:
    found = list(executor.map(calls.double_later, range(5), chunksize=chunksize))

    assert found == [0, 2, 4, 6, 8]


def test_a_coroutine_awaits_calls_in_the_executor(executor: Executor) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        tasks = [loop.run_in_executor(executor, calls.double, n) for n in range(5)]
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [0, 2, 4, 6, 8]


def test_threads_submit_at_the_same_time(executor: Executor) -> None:
    results: list[list[int]] = []

    def submit() -> None:
        futures = [executor.submit(calls.double, number) for number in range(50)]
        results.append([future.result(SECONDS) for future in futures])

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [[2 * number for number in range(50)]] * 4


def test_a_call_back_of_a_future_may_submit_the_next_call(executor: Executor) -> None:
    done = threading.Event()
    left = [20]

    def go_on(_: Future[int]) -> None:
        left[0] -= 1
        if left[0]:
            executor.submit(calls.double, 1).add_done_callback(go_on)
        else:
            done.set()

    executor.submit(calls.double, 1).add_done_callback(go_on)

    assert done.wait(SECONDS)


def test_a_call_back_of_a_future_that_would_wait_for_ever_is_told_so(
    executor: Executor, gate: Gate
) -> None:
    told: Future[BaseException] = Future()

    def wait(_: Future[bytes]) -> None:
        try:
            executor.submit(calls.double, 1).result()
        except RuntimeError as error:
            told.set_result(error)

    executor.submit(Path.read_bytes, Path(gate.path)).add_done_callback(wait)
    gate.open()

    assert "would wait for ever" in str(told.result(SECONDS))


def test_an_executor_cannot_be_sent(executor: Executor) -> None:
    """What could not was said to be a map of memory, deep inside of it."""
    error = executor.submit(lambda: executor).exception(SECONDS)

    assert isinstance(error, NotSerializableError)
    assert "an Executor cannot be sent" in str(error)


# What goes wrong with one call.


def test_an_exception_arrives_with_the_traceback_of_the_worker(
    executor: Executor,
) -> None:
    future: Future[Any] = executor.submit(calls.refuse, "no such thing")

    with pytest.raises(LookupError, match="no such thing") as caught:
        future.result(SECONDS)

    assert "in refuse" in str(caught.value.__cause__)


BAD: dict[str, tuple[Any, tuple[Any, ...], type[Exception], str]] = {
    "exception that does not unpickle": (
        calls.raise_two_parts,
        (),
        RemoteError,
        "TwoPartError: salt and pepper",
    ),
    "result that does not pickle": (
        calls.make,
        (threading.Lock,),
        NotSerializableError,
        "cannot be sent|cannot pickle",
    ),
    "result that does not unpickle": (
        calls.make,
        (calls.Unreadable,),
        DecodeError,
        "unreadable",
    ),
    "argument that does not pickle": (
        calls.capture,
        (threading.Lock(),),
        NotSerializableError,
        "lock",
    ),
    "argument that does not unpickle": (
        calls.capture,
        (calls.Unreadable(),),
        UnhandledMessageError,
        "unreadable",
    ),
    "exit": (sys.exit, (3,), RemoteError, "SystemExit: 3"),
    "exit without a word": (os._exit, (3,), ActorCrashedError, "_exit.*code 3"),
    "segmentation fault": (
        calls.die,
        (signal.SIGSEGV,),
        ActorCrashedError,
        "die.*SIGSEGV",
    ),
    "kill": (calls.die, (signal.SIGKILL,), ActorCrashedError, "die.*SIGKILL"),
}


@pytest.mark.parametrize("what", BAD)
def test_only_the_call_that_goes_wrong_fails_and_says_why(
    what: str, executor: Executor
) -> None:
    function, args, error, text = BAD[what]

    before = [executor.submit(calls.double, number) for number in range(5)]
    bad: Future[Any] = executor.submit(function, *args)
    after = [executor.submit(calls.double, number) for number in range(5, 10)]

    with pytest.raises(error, match=f"(?s){text}"):
        bad.result(SECONDS)
    assert [future.result(SECONDS) for future in (*before, *after)] == [
        *range(0, 20, 2)
    ]


def function_for(number: int) -> Callable[[int], Any]:
    return calls.double if number % 5 else os._exit


def test_every_call_is_answered_while_workers_die_all_the_time(
    executor: Executor,
) -> None:
    futures: list[Future[Any]] = [
        executor.submit(function_for(number), number) for number in range(50)
    ]

    concurrent.futures.wait(futures, SECONDS)

    crashed = [n for n, each in enumerate(futures) if each.exception() is not None]
    assert crashed == [*range(0, 50, 5)]
    assert all(isinstance(futures[n].exception(), ActorCrashedError) for n in crashed)


def test_a_worker_that_has_died_while_it_had_nothing_to_do_costs_no_call(
    executor: Executor,
) -> None:
    pids = {executor.submit(os.getpid).result(SECONDS) for _ in range(10)}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)

    found = [executor.submit(calls.double, n).result(SECONDS) for n in range(10)]

    assert found == [*range(0, 20, 2)]


def test_memory_over_the_limit_fails_the_call(system: ActorSystem) -> None:
    with Executor(1, system=system, max_memory_bytes=512 * 2**20) as executor:
        future = executor.submit(calls.fill_memory)
        after = executor.submit(calls.double, 4)

        with pytest.raises(MemoryError):
            future.result(SECONDS)
        assert after.result(SECONDS) == 8


# Initializers.


def test_the_initializer_is_called_once_in_each_worker(system: ActorSystem) -> None:
    with Executor(
        2, initializer=calls.greet, initargs=("hello",), system=system
    ) as executor:
        found = [executor.submit(calls.greeting).result(SECONDS) for _ in range(10)]

    assert found == [["hello"]] * 10


def test_an_initializer_that_raises_is_what_every_call_fails_with(
    system: ActorSystem,
) -> None:
    with Executor(
        2, initializer=calls.refuse, initargs=("no licence",), system=system
    ) as executor:
        futures = [executor.submit(calls.double, number) for number in range(5)]

        for future in futures:
            with pytest.raises(ExecutorBrokenError, match=r"(?s)no licence.*in refuse"):
                future.result(SECONDS)
        with pytest.raises(concurrent.futures.BrokenExecutor, match="no licence"):
            executor.submit(calls.double, 1)


def test_an_initializer_that_raises_is_told_to_who_calls_and_not_to_the_log(
    system: ActorSystem,
) -> None:
    """Each worker but the last one to try was logged as a failed spawn that nobody had seen."""
    with structlog.testing.capture_logs() as logs:
        with Executor(
            3, initializer=calls.refuse, initargs=("no licence",), system=system
        ) as executor:
            futures = [executor.submit(calls.double, number) for number in range(5)]
            failures = [future.exception(SECONDS) for future in futures]
        gc.collect()

    assert {type(failure) for failure in failures} == {ExecutorBrokenError}
    assert logs == []


def test_an_initializer_that_always_dies_is_what_every_call_fails_with(
    system: ActorSystem,
) -> None:
    with Executor(
        2, initializer=calls.die, initargs=(signal.SIGKILL,), system=system
    ) as executor:
        future = executor.submit(calls.double, 1)

        with pytest.raises(ExecutorBrokenError, match="SIGKILL"):
            future.result(SECONDS)


def test_a_worker_that_dies_in_its_initializer_is_replaced(
    system: ActorSystem, tmp_path: Path
) -> None:
    path = str(tmp_path / "died")
    with Executor(
        1, initializer=calls.die_once, initargs=(path,), system=system
    ) as executor:
        future = executor.submit(calls.double, 4)

        assert future.result(SECONDS) == 8


# Workers.


def test_workers_are_started_as_they_are_needed(system: ActorSystem) -> None:
    with Executor(4, system=system) as executor:
        one_by_one = {executor.submit(os.getpid).result(SECONDS) for _ in range(5)}

        assert len(one_by_one) == 1


def test_a_worker_is_replaced_after_so_many_calls(system: ActorSystem) -> None:
    with Executor(1, max_tasks_per_child=3, system=system) as executor:
        pids = [executor.submit(os.getpid).result(SECONDS) for _ in range(7)]

    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]


def test_calls_start_in_the_order_in_which_they_were_submitted(
    system: ActorSystem, tmp_path: Path
) -> None:
    path = str(tmp_path / "log")
    with Executor(1, system=system) as executor:
        for number in range(20):
            executor.submit(calls.add_line, path, str(number))

    assert Path(path).read_text().split() == [str(number) for number in range(20)]


# Mistakes.


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"max_workers": 0}, OptionError, "max_workers must be greater than 0"),
        ({"max_workers": 1.5}, OptionError, "a whole number"),
        ({"max_tasks_per_child": 0}, OptionError, "max_tasks_per_child=0"),
        ({"initializer": 3}, TypeError, "initializer=3"),
        (
            {"initializer": print, "initargs": (threading.Lock(),)},
            NotSerializableError,
            "lock",
        ),
        ({"system": "shop"}, TypeError, "system='shop'"),
        ({"mp_context": None}, OptionError, "mp_context"),
        ({"max_memory_bytes": 5}, OptionError, "max_memory_bytes=5"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_an_argument_that_cannot_be_meant_is_named(
    options: dict[str, Any], error: type[Exception], text: str, system: ActorSystem
) -> None:
    given: dict[str, Any] = {"system": system, **options}

    with pytest.raises(error, match=text):
        Executor(**given)


def test_what_cannot_be_called_is_refused_at_the_call(executor: Executor) -> None:
    with pytest.raises(TypeError, match="fn=3"):
        executor.submit(3)  # type: ignore[call-overload]


def test_chunks_of_no_items_are_refused(executor: Executor) -> None:
    with pytest.raises(OptionError, match="chunksize=0"):
        executor.map(abs, [1], chunksize=0)


def test_the_error_of_a_call_names_what_was_called(executor: Executor) -> None:
    partial = functools.partial(calls.die, signal.SIGKILL)

    with pytest.raises(ActorCrashedError, match=r"died in die \(attempt 1\)"):
        executor.submit(partial).result(SECONDS)
    with pytest.raises(ActorCrashedError, match=r"died in die \(attempt 1\)"):
        list(executor.map(calls.die, [signal.SIGKILL] * 2, chunksize=2))


def test_leaving_an_executor_leaves_no_worker_in_a_system_that_lives_on(
    system: ActorSystem,
) -> None:
    with Executor(2, system=system) as executor:
        pid = executor.submit(os.getpid).result(SECONDS)

    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the end of a worker")
