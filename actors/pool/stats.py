"""What a pool is doing, read from the status pages of its workers: it costs them nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from actors.pool.worker import Worker
from actors.runtime import status
from actors.runtime.client import Client
from actors.runtime.directory import RuntimeDirectory
from actors.runtime.outgoing import mailbox_name
from transports import registry
from transports.errors import CorruptError, TransportError


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
        queued: Messages that no worker has taken, whoever has sent them: in the mailbox that all share, and in their own.
        outstanding: Asks of this process that are not answered yet, wherever they are, also with workers that leave.
    """

    size: int
    workers: tuple[WorkerStats, ...]
    queued: int
    outstanding: int

    @property
    def in_hand(self) -> int:
        """Messages that workers have begun with."""
        return sum(worker.in_hand for worker in self.workers)


def of_worker(directory: RuntimeDirectory, worker: Worker[Any]) -> WorkerStats:
    """Return what *worker* is doing.

    Raises:
        FileNotFoundError: It has ended for good.
        CorruptError: What it says makes no sense.
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


def of_workers(
    directory: RuntimeDirectory, workers: Iterable[Worker[Any]]
) -> tuple[WorkerStats, ...]:
    """Return what those of *workers* are doing that have not ended for good, and of whom it can be told."""
    told = []
    for worker in workers:
        try:
            told.append(of_worker(directory, worker))
        except (FileNotFoundError, CorruptError):
            continue
    return tuple(told)


def queued(directory: RuntimeDirectory, numbers: Iterable[int]) -> int:
    """Return how much waits in the mailboxes with these *numbers*; in one that has ended, or is being replaced, nothing does."""
    return sum(_queued(directory, number) for number in numbers)


def _queued(directory: RuntimeDirectory, number: int) -> int:
    try:
        page = status.StatusPage.open(directory.fd, number)
    except (FileNotFoundError, CorruptError):
        return 0
    try:
        transport = registry.get(page.scheme)
        return transport.inspect(directory.fd, mailbox_name(number)).depth.frames
    except TransportError:
        return 0
    finally:
        page.close()


def of_pool(
    client: Client,
    workers: Sequence[Worker[Any]],
    leaving: Iterable[Worker[Any]],
    shared: int | None,
) -> PoolStats:
    """Return what *workers* are doing, and how much waits for them there and in the mailbox *shared*; those *leaving* still answer."""
    told = of_workers(client.directory, workers)
    numbers = {worker.number for worker in workers}
    if shared is not None:
        numbers.add(shared)
    asked = list(client.questions.open.values())
    answering = numbers.union(worker.number for worker in leaving)
    return PoolStats(
        size=len(told),
        workers=told,
        queued=queued(client.directory, numbers),
        outstanding=sum(pending.number in answering for pending in asked),
    )


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
