"""How much of everything is measured, and the loops that systems share.

Every loop is bounded in count and in time, so that a slow machine measures less instead of taking long.
Not responsible for what is sent through: each system is a module of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import TypeVar

import attrs

T = TypeVar("T")

WARM_UP = 500  # asks that are not counted
ASKS = 5_000  # one at a time
MANY_ASKS = 20_000  # OUTSTANDING at a time
OUTSTANDING = 100
TELLS = 200_000  # from all senders together; of fewer, much would be their first ones
BATCH = 100  # tells between two looks at the clock
SENDERS = 4
LARGE_MIB = {"gb_per_s_1MiB": 1, "gb_per_s_64MiB": 64}  # by row
LARGE_TOTAL_MIB = 4096  # of messages of one size
LARGE_WARM_UP = 8  # messages, after which those who use memory again have some
STARTS = 5  # processes started, or killed, one after the other
SIBLINGS = 50  # of a child that is killed
KILLS = 100  # of them, one after the other
STORM = 200  # children that are killed at once
IDLE = 40  # processes whose memory is measured; what they share counts little for each

POOL_CALLS = 20_000  # POOL_OUTSTANDING at a time, to four workers
POOL_OUTSTANDING = 200
POOL_ITEMS = 400_000  # POOL_IN_FLIGHT of them held at a time
POOL_IN_FLIGHT = 20_000
POOL_TASKS = 400  # that use the processor for so many seconds each
POOL_TASK_SECONDS = 0.005

LOOP_SECONDS = 0.5  # after which a loop ends early
MEASURE_SECONDS = 60.0  # after which something hangs

STOP = None  # behind the last message of a sender


@attrs.frozen
class Cores:
    """Where the two ends run; None leaves it to the kernel."""

    near: int | None = None
    far: int | None = None


Values = Mapping[str, float]  # by row
Measure = Callable[[Cores], Values]


def laps(count: int) -> Iterator[int]:
    """Yield 0 to *count* - 1, fewer when that takes longer than ``LOOP_SECONDS``."""
    end = time.perf_counter() + LOOP_SECONDS
    for lap in range(count):
        yield lap
        if time.perf_counter() > end:
            return


def percentiles(seconds: list[float]) -> Values:
    """Return the rows for asks that took *seconds* each."""
    ranked = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"ask_us_p50": ranked[49] * 1e6, "ask_us_p99": ranked[98] * 1e6}


def median_ms(row: str, seconds: list[float]) -> Values:
    """Return the row for something that took *seconds*, several times."""
    return {row: statistics.median(seconds) * 1e3}


def ask_one_at_a_time(ask: Callable[[int], object]) -> Values:
    """Measure the latency of *ask*, which returns when the answer is here."""
    for lap in laps(WARM_UP):
        ask(lap)
    seconds = []
    for lap in laps(ASKS):
        begin = time.perf_counter()
        ask(lap)
        seconds.append(time.perf_counter() - begin)
    return percentiles(seconds)


def ask_many_at_a_time(
    start: Callable[[int], T], finish: Callable[[T], object]
) -> Values:
    """Measure the throughput of asks, of which ``OUTSTANDING`` are always on their way."""
    begin = time.perf_counter()
    waiting = deque(start(lap) for lap in range(OUTSTANDING))
    done = 0
    for lap in laps(MANY_ASKS):
        finish(waiting.popleft())
        waiting.append(start(lap))
        done += 1
    while waiting:
        finish(waiting.popleft())
        done += 1
    return {"asks_per_s_100": done / (time.perf_counter() - begin)}


def counted_per_second(
    row: str, send: Callable[[], object], count: Callable[[], int]
) -> Values:
    """Measure the throughput from *send* on, until the other end has said how much it got."""
    begin = time.perf_counter()
    send()
    return {row: count() / (time.perf_counter() - begin)}


def large_message(mib: int) -> bytearray:
    """Return *mib* MiB of memory that is really there."""
    return bytearray(b"x") * (mib * 2**20)


def gigabytes_per_second(row: str, mib: int, pass_on: Callable[[], object]) -> Values:
    """Measure *pass_on*, which sends *mib* MiB one way and returns when they have been received."""
    for _ in range(LARGE_WARM_UP):
        pass_on()
    begin = time.perf_counter()
    passed = 0
    for _ in laps(LARGE_TOTAL_MIB // mib):
        pass_on()
        passed += mib
    return {row: passed * 2**20 / 1e9 / (time.perf_counter() - begin)}


def send_batches(send: Callable[[object], object], count: int) -> None:
    """Send *count* numbers, fewer when that takes too long, and ``STOP``."""
    for _ in laps(count // BATCH):
        for number in range(BATCH):
            send(number)
    send(STOP)


def pss_mib(pids: list[int]) -> Values:
    """Return the memory of one of the processes *pids*: its own, and its share of what it shares."""
    total_kib = sum(map(_pss_kib, pids))
    return {"pss_mib": total_kib / 1024 / len(pids)}


def _pss_kib(pid: int) -> int:
    with open(f"/proc/{pid}/smaps_rollup") as lines:  # noqa: PTH123 - not a file of ours
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def serve_echo(receive: Callable[[], object], send: Callable[[object], object]) -> None:
    """Be the other end of an ask."""
    while True:
        send(receive())


def serve_count(
    receive: Callable[[], object], send: Callable[[object], object], senders: int
) -> None:
    """Be the other end of tells: say how many came when the last of *senders* has stopped."""
    counted = 0
    while senders:
        if receive() is STOP:
            senders -= 1
        else:
            counted += 1
    send(counted)


def run_on(core: int | None) -> None:
    """Keep this process on one core, if one is named."""
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def running_on(core: int | None) -> Iterator[None]:
    """Keep this process on one core for a while, if one is named."""
    before = os.sched_getaffinity(0)
    run_on(core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def time_limit(what: str) -> Iterator[None]:
    """End *what* with an exception when it hangs.

    Raises:
        TimeoutError: In the middle of it, after ``MEASURE_SECONDS``.
    """

    def give_up(_signum: int, _frame: FrameType | None) -> None:
        msg = f"{what} did not end within {MEASURE_SECONDS:g} s"
        raise TimeoutError(msg)

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, MEASURE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
