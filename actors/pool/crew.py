"""The workers of a pool: who there is, who comes and who goes.

Nothing here waits: what follows from an event is done in the thread that takes it in.
The table of workers is a tuple that is replaced as a whole, so that whoever sends meanwhile sees one or the other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from actors import planting
from actors.actor import Actor
from actors.errors import ActorError, ActorStoppedError
from actors.pending import Pending, settled
from actors.pool.gathering import gathered, then
from actors.pool.worker import Worker
from actors.ref import ActorRef
from actors.runtime.client import Client
from actors.supervision.settings import ChildOptions, SupervisorOptions

A = TypeVar("A", bound=Actor)


class Crew(Generic[A]):
    """The workers of one pool."""

    def __init__(
        self,
        client: Client,
        name: str,
        settings: tuple[ChildOptions, SupervisorOptions],
        cls: type[A],
        arguments: tuple[tuple[Any, ...], dict[str, Any]],
    ) -> None:
        """Start nobody yet.

        Args:
            client: Of this process.
            name: Of the pool.
            settings: Of each worker, and of the supervisor that it would have.
            cls: Its class.
            arguments: For its ``__init__``.
        """
        self.client = client
        self.name = name
        self.cls = cls
        self.workers: tuple[Worker[A], ...] = ()  # ready ones, by index
        self.is_stopped = False
        self._settings = settings
        self._arguments = arguments
        self._wanted: set[int] = set()  # places with a worker, or one that starts

    # Growing and shrinking.

    def resize(self, size: int) -> Pending[None]:
        """Have *size* workers; settled when the new ones are ready and the others have ended, after their queues.

        A worker that does not become ready leaves its place free, and the resize fails with its ``SpawnError``.
        """
        if self.is_stopped:
            msg = f"the pool {self.name} was stopped"
            raise ActorError(msg)
        missing = set(range(size)) - self._wanted
        surplus = self._wanted - set(range(size))
        self._wanted |= missing
        self._wanted -= surplus
        steps = [self._start(index) for index in sorted(missing)]
        steps += [self._retire(worker) for worker in self._remove(surplus)]
        return then(self.client, gathered(self.client, steps), lambda _: settled(None))

    def _start(self, index: int) -> Pending[None]:
        args, kwargs = self._arguments
        try:
            starting = planting.spawn(
                self.client,
                self._settings,
                self.cls,
                args,
                kwargs,
                label=f"{self.name}-{index}",
                worker_index=index,
            )
        except BaseException:
            self._wanted.discard(index)
            raise
        started: Pending[None] = Pending(self.client)

        def enter() -> None:
            error = starting.failure()
            if error is not None:
                self._wanted.discard(index)
                started.fail(error)
                return
            worker = self._worker(starting.value, index)
            if index in self._wanted and not self.is_stopped:
                self._enter(worker)
            else:  # it is not wanted any more
                _ = worker.ref.stop()
            started.resolve(None)

        starting.when_settled(enter)
        return started

    def _worker(self, ref: ActorRef[A], index: int) -> Worker[A]:
        return Worker(ref, ref._number, index)  # noqa: SLF001 - two halves of one thing

    def _enter(self, worker: Worker[A]) -> None:
        others = [each for each in self.workers if each.index != worker.index]
        self.workers = tuple(sorted((*others, worker), key=lambda each: each.index))
        end = worker.ref.ended()
        end.when_settled(functools.partial(self._on_end, worker, end))

    def _remove(self, indexes: set[int]) -> list[Worker[A]]:
        """Take the workers with *indexes* out of the table, and return them."""
        removed = [each for each in self.workers if each.index in indexes]
        self.workers = tuple(each for each in self.workers if each.index not in indexes)
        return removed

    def _retire(self, worker: Worker[A]) -> Pending[None]:
        """Let *worker* finish its queue and end."""
        ended = worker.ref.ended()
        _ = worker.ref.stop()
        return then(self.client, ended, lambda _: settled(None))

    def _on_end(self, worker: Worker[A], end: Pending[Any]) -> None:
        """A worker has ended for good, or the system has."""
        if end.failure() is not None or worker not in self.workers:
            return
        self._wanted.discard(worker.index)
        # The last one stays: whoever sends to it is told why it has ended.
        if len(self.workers) > 1:
            self._remove({worker.index})

    # All of them.

    def each(self, act: Callable[[Worker[A]], Pending[Any]]) -> Pending[list[Any]]:
        """Do *act* to each worker; settled with the results, by index."""
        return gathered(self.client, [act(worker) for worker in self.workers])

    def stop(self) -> Pending[None]:
        """End all workers for good, after their queues; settled when they have ended."""
        self.is_stopped = True
        self._wanted.clear()
        steps = [self._retire(worker) for worker in self.workers]
        return then(self.client, gathered(self.client, steps), lambda _: settled(None))


def despite_its_end(source: Client, pending: Pending[Any]) -> Pending[None]:
    """Return a success also where the worker has ended, or dies, before it does what *pending* waits for."""
    done: Pending[None] = Pending(source)

    def settle() -> None:
        error = pending.failure()
        if error is None or isinstance(error, ActorStoppedError):
            done.resolve(None)
        else:
            done.fail(error)

    pending.when_settled(settle)
    return done
