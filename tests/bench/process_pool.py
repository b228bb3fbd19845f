"""``concurrent.futures.ProcessPoolExecutor`` with one worker."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from tests.bench import measuring
from tests.bench.measuring import Cores, Values, laps


def echo(number: int) -> int:
    """Return what came."""
    return number


@contextlib.contextmanager
def pool(core: int | None = None) -> Iterator[ProcessPoolExecutor]:
    executor = ProcessPoolExecutor(
        1, multiprocessing.get_context("fork"), measuring.run_on, (core,)
    )
    with executor:
        yield executor


def ask(cores: Cores) -> Values:
    with pool(cores.far) as executor, measuring.running_on(cores.near):
        return measuring.ask_one_at_a_time(
            lambda number: executor.submit(echo, number).result()
        )


def asks(cores: Cores) -> Values:
    with pool(cores.far) as executor, measuring.running_on(cores.near):
        executor.submit(echo, 0).result()  # starts the worker
        return measuring.ask_many_at_a_time(
            lambda number: executor.submit(echo, number), Future.result
        )


def spawn(_: Cores) -> Values:
    """Measure from making a pool to its first result."""
    seconds = []
    for lap in laps(measuring.STARTS):
        begin = time.perf_counter()
        with pool() as executor:
            executor.submit(echo, lap).result()
            seconds.append(time.perf_counter() - begin)
    return measuring.median_ms("spawn_ms", seconds)


def recover(_: Cores) -> Values:
    """Measure from SIGKILL of the worker to the first result of the pool that has to take over."""
    seconds = []
    for lap in laps(measuring.STARTS):
        with pool() as executor:
            worker = executor.submit(os.getpid).result()
            begin = time.perf_counter()
            os.kill(worker, signal.SIGKILL)
            wait_until_broken(executor)
            with pool() as successor:
                successor.submit(echo, lap).result()
                seconds.append(time.perf_counter() - begin)
    return measuring.median_ms("recover_ms", seconds)


def wait_until_broken(executor: ProcessPoolExecutor) -> None:
    """Wait until the pool has noticed that its worker is dead, as a program would: by using it."""
    with contextlib.suppress(BrokenProcessPool):
        while True:
            executor.submit(echo, 0).result()


MEASURES = {"ask": ask, "asks": asks, "spawn": spawn, "recover": recover}
