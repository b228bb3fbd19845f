"""What a pool is doing, read from the status pages of its workers: it costs them nothing."""

from __future__ import annotations

from typing import Any

import attrs

from actors.pool.worker import Worker
from actors.runtime import status
from actors.runtime.directory import RuntimeDirectory


@attrs.frozen
class WorkerStats:
    """One worker, a moment ago.

    Attributes:
        index: Its place in the pool.
        name: Of its ref.
        pid: Of its process, for information only.
        incarnation: How many processes it has had.
        handled: Messages that this incarnation has finished.
        in_hand: Messages that it has begun with.
        outstanding: Asks of this process that it has not answered, those in its own queue as well; 0 where all share one queue.
    """

    index: int
    name: str
    pid: int
    incarnation: int
    handled: int
    in_hand: int
    outstanding: int


@attrs.frozen
class PoolStats:
    """A pool, a moment ago.

    Attributes:
        size: Workers that are there, those that restart as well.
        workers: Each of them, by index.
        outstanding: Asks of this process that are not answered yet, wherever they are.
    """

    size: int
    workers: tuple[WorkerStats, ...]
    outstanding: int

    @property
    def in_hand(self) -> int:
        """Messages that workers have begun with."""
        return sum(worker.in_hand for worker in self.workers)


def of_worker(directory: RuntimeDirectory, worker: Worker[Any]) -> WorkerStats:
    """Return what *worker* is doing.

    Raises:
        FileNotFoundError: It has ended for good.
    """
    page = status.StatusPage.open(directory.fd, worker.number)
    try:
        words = page.words
        return WorkerStats(
            worker.index,
            worker.ref.name,
            words[status.PID],
            words[status.INCARNATION],
            words[status.HANDLED],
            sum(slot.filled and slot.started for slot in page.slots()),
            worker.outstanding,
        )
    finally:
        page.close()


def is_busy(directory: RuntimeDirectory, worker: Worker[Any]) -> bool:
    """Return whether *worker* has a message in hand; one that has ended has none."""
    try:
        return of_worker(directory, worker).in_hand > 0
    except FileNotFoundError:
        return False


def incarnation(directory: RuntimeDirectory, worker: Worker[Any]) -> int:
    """Return how many processes *worker* has had; 0 for one that has ended."""
    try:
        return of_worker(directory, worker).incarnation
    except FileNotFoundError:
        return 0
