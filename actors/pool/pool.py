"""The handle of a pool: messages to whoever is free, or to all."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    NoReturn,
    ParamSpec,
    Self,
    TypeVar,
    overload,
)

from actors import messages
from actors.actor import Actor
from actors.options import refused
from actors.pending import Pending, settled
from actors.pool import routing, stats
from actors.pool.crew import Crew, despite_its_end
from actors.pool.gathering import gathered, then
from actors.pool.settings import SIZE, PoolOptions, is_size
from actors.pool.stats import PoolStats
from actors.pool.worker import Worker
from actors.ref import DEFAULT_TIMEOUT, ActorRef, check_timeout, message_name
from actors.runtime import services

A = TypeVar("A", bound=Actor)
P = ParamSpec("P")
R = TypeVar("R")

_BARRIER = services.BARRIER.encode()


class Pool(Generic[A]):
    """Workers of class ``A`` behind one handle, which is used like a ref.

    It comes from ``system.options(size=4).pool(Resize, …)``, and works in the process that it was made in.
    """

    __slots__ = ("_choose", "_crew", "_timeout")

    def __init__(self, crew: Crew[A], options: PoolOptions) -> None:
        """Speak to the workers of *crew*."""
        self._crew = crew
        self._choose: routing.Router[Worker[A]] = routing.router(options.routing)
        self._timeout: float | None = DEFAULT_TIMEOUT

    @property
    def name(self) -> str:
        """The pool's name; for a pool without one that of its class."""
        return self._crew.name

    @property
    def size(self) -> int:
        """How many workers are ready now, or restarting."""
        return len(self._crew.workers)

    @property
    def workers(self) -> tuple[ActorRef[A], ...]:
        """The workers' own refs, by ``worker_index``."""
        return tuple(worker.ref for worker in self._crew.workers)

    def __repr__(self) -> str:
        return f"<Pool {self.name} of {self.size}>"

    def __reduce__(self) -> NoReturn:
        msg = "a Pool cannot be sent: it belongs to the process that made it; send one of its workers, or a ref of an actor that asks it"
        raise TypeError(msg)

    if not TYPE_CHECKING:  # a checker that saw this would believe every misspelt name

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(name)
            text = messages.no_attribute(self._crew.cls, name)
            raise AttributeError(
                text.replace("a ref", "a pool").replace("ref.", "pool.")
            )

    # Messages.

    @overload
    def ask(
        self,
        method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Pending[R]: ...
    @overload
    def ask(
        self,
        method: Callable[Concatenate[A, P], R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Pending[R]: ...
    def ask(
        self, method: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Pending[Any]:
        """Send a message to one of the workers and return its result on the way.

        Delivery: to one worker, and one incarnation of it, at most. A worker that dies fails the ask it has in hand; those in its queue
        wait for its next incarnation.

        Cancellation:
            As ``ActorRef.ask``.

        Raises:
            As ``ActorRef.ask``.
        """
        crew = self._crew
        worker = self._choose(crew.workers, args, kwargs)
        pending: Pending[Any] = crew.client.ask(
            worker.number,
            worker.ref.name,
            message_name(crew.cls, method, self),
            method.__qualname__,
            (args, kwargs),
            self._timeout,
        )
        worker.follow(pending)
        return pending

    def tell(
        self,
        method: Callable[Concatenate[A, P], Any],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Pending[None]:
        """Send a message that nobody answers to one of the workers; await it to wait until its mailbox has accepted it.

        Delivery: see ``ask``. An exception in the handler crashes the worker unless its ``on_error`` says otherwise.

        Raises:
            As ``ActorRef.tell``.
        """
        crew = self._crew
        worker = self._choose(crew.workers, args, kwargs)
        return crew.client.tell(
            worker.number,
            worker.ref.name,
            message_name(crew.cls, method, self),
            method.__qualname__,
            (args, kwargs),
            self._timeout,
        )

    @overload
    def broadcast(
        self,
        method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Pending[list[R]]: ...
    @overload
    def broadcast(
        self,
        method: Callable[Concatenate[A, P], R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Pending[list[R]]: ...
    def broadcast(
        self, method: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Pending[list[Any]]:
        """Send a message to every worker and return their results, by ``worker_index``, on the way.

        A worker that starts later gets nothing of it, and one that restarts has forgotten it.

        Raises:
            As ``ask``: the first failure there is; the other workers handle the message all the same.
        """
        ref = ActorRef.ask
        return self._crew.each(
            lambda worker: ref(
                worker.ref.within(self._timeout), method, *args, **kwargs
            )
        )

    def within(self, timeout: float | None) -> Self:
        """Return the same pool with another deadline for its messages.

        Args:
            timeout: Seconds from the call to the answer, waiting in a queue included; None for no deadline.

        Raises:
            OptionError: *timeout* is neither.
        """
        check_timeout(timeout)
        return self._with(_timeout=timeout)

    def _with(self, **changes: object) -> Self:
        other = type(self).__new__(type(self))
        for name in Pool.__slots__:
            setattr(other, name, changes.get(name, getattr(self, name)))
        return other

    # Its workers.

    def resize(self, size: int) -> Pending[None]:
        """Have *size* workers; settled when new ones are ready, or those with the highest indexes have finished their queues and ended.

        Messages go on meanwhile; none is lost.

        Args:
            size: From 1.

        Raises (when awaited):
            SpawnError: A new worker did not become ready; its place stays free until the next resize.

        Raises (at the call):
            OptionError: *size* is no such number.
            ActorError: The pool was stopped.
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        if not is_size(size):
            raise refused("size", size, SIZE)
        return self._crew.resize(size)

    def stats(self) -> PoolStats:
        """Return what the workers are doing; they do not notice."""
        directory = self._crew.client.directory
        told = []
        for worker in self._crew.workers:
            try:
                told.append(stats.of_worker(directory, worker))
            except FileNotFoundError:  # it has ended just now
                continue
        return PoolStats(len(told), tuple(told))

    def drain(self) -> Pending[None]:
        """Return when all that this process has sent to the pool before is handled; what is sent meanwhile goes on behind it.

        A message that a worker died of counts as handled, as it does everywhere.

        Raises (when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        client = self._crew.client
        passed = [
            despite_its_end(client, self._barrier(worker))
            for worker in self._crew.workers
        ]
        return then(client, gathered(client, passed), lambda _: settled(None))

    def _barrier(self, worker: Worker[A]) -> Pending[None]:
        name, label = worker.ref.name, services.BARRIER
        client = self._crew.client
        return client.ask(worker.number, name, _BARRIER, label, ((), {}), None)

    def stop(self) -> Pending[None]:
        """Let all workers finish what is queued and end for good; settled when they have.

        Stopping again does nothing more.
        """
        return self._crew.stop()


def open_pool(crew: Crew[A], options: PoolOptions) -> Pending[Pool[A]]:
    """Start the workers of *crew*; settled with the handle when all of them are ready, and none is left if one does not become so."""
    client = crew.client
    opened: Pending[Pool[A]] = Pending(client)
    growing = crew.resize(options.size)

    def enter() -> None:
        error = growing.failure()
        if error is None:
            opened.resolve(Pool(crew, options))
        else:
            crew.stop().when_settled(lambda: opened.fail(error))

    growing.when_settled(enter)
    return opened
