"""The handle of a pool: messages to whoever is free, or to all."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Sized
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    Literal,
    NoReturn,
    ParamSpec,
    Self,
    TypeVar,
    Unpack,
    overload,
)

import attrs

from actors import messages
from actors.actor import Actor
from actors.errors import ActorError, ItemError
from actors.messages import message_name
from actors.options import check_names, whole
from actors.pending import Pending, settled
from actors.pool import bars, routing, stats
from actors.pool.calls import Call
from actors.pool.chunks import Chunks, Single
from actors.pool.crew import Crew
from actors.pool.flight import Flight
from actors.pool.gathering import then
from actors.pool.meter import Meter
from actors.pool.policy import CallKeywords, Policy
from actors.pool.progress import Progress
from actors.pool.results import Results
from actors.pool.scaling import Scaler
from actors.pool.settings import PoolOptions
from actors.pool.stats import PoolStats
from actors.pool.worker import Worker
from actors.ref import DEFAULT_TIMEOUT, ActorRef, check_timeout
from actors.runtime import services

A = TypeVar("A", bound=Actor)
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

IN_FLIGHT = 64  # items of a map
_OF_POLICIES = tuple(field.name for field in attrs.fields(Policy))


class Pool(Generic[A]):
    """Workers of class ``A`` behind one handle, which is used like a ref.

    It comes from ``system.options(size=4).pool(Resize, …)``, and works in the process that it was made in.
    """

    __slots__ = (
        "_choose",
        "_crew",
        "_is_keyed",
        "_is_limited",
        "_options",
        "_policy",
        "_timeout",
    )

    def __init__(self, crew: Crew[A], options: PoolOptions) -> None:
        """Speak to the workers of *crew*."""
        self._crew = crew
        self._options = options
        self._choose: Callable[..., Worker[A]] = routing.router(options.routing)
        self._is_keyed = not isinstance(options.routing, str)
        self._timeout: float | None = DEFAULT_TIMEOUT
        self._is_limited = False  # by somebody, and not only by default
        self._policy: Policy | None = None

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
        name = message_name(crew.cls, method, self)
        label = method.__qualname__
        if self._policy is None:
            if crew.shared is not None:  # as _ask does, with a call less
                return crew.client.ask(
                    crew.shared, crew.name, name, label, (args, kwargs), self._timeout
                )
            return self._ask(name, label, (args, kwargs), args, kwargs, self._timeout)
        send = functools.partial(self._ask, name, label, (args, kwargs), args, kwargs)
        return Call(crew.client, send, self._policy, self._timeout).pending

    def _ask(
        self,
        name: bytes,
        label: str,
        arguments: tuple[tuple[Any, ...], dict[str, Any]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout: float | None,
    ) -> Pending[Any]:
        """Ask the worker that *args* and *kwargs* choose."""
        crew = self._crew
        if crew.shared is not None:
            return crew.client.ask(
                crew.shared, crew.name, name, label, arguments, timeout
            )

        def send(worker: Worker[A], left: float | None) -> Pending[Any]:
            pending: Pending[Any] = crew.client.ask(
                worker.number, worker.ref.name, name, label, arguments, left
            )
            worker.follow(pending)
            return pending

        if crew.handover is not None:
            return crew.handover.send((args, kwargs), send, label, timeout)
        return send(self._choose(crew.workers, args, kwargs), timeout)

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
        name = message_name(crew.cls, method, self)
        if crew.shared is not None:
            return crew.client.tell(
                crew.shared,
                crew.name,
                name,
                method.__qualname__,
                (args, kwargs),
                self._timeout,
            )

        def send(worker: Worker[A], left: float | None) -> Pending[None]:
            return crew.client.tell(
                worker.number,
                worker.ref.name,
                name,
                method.__qualname__,
                (args, kwargs),
                left,
            )

        if crew.handover is not None:
            label = method.__qualname__
            return crew.handover.send((args, kwargs), send, label, self._timeout)
        return send(self._choose(crew.workers, args, kwargs), self._timeout)

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
            As ``ask``: the first failure there was, when all workers have handled the message or failed to.
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
        return self._with(_timeout=timeout, _is_limited=True)

    def options(self, **options: Unpack[CallKeywords]) -> Self:
        """Return the same pool with another policy for its asks and maps: ``timeout`` as ``within`` has it, and those of ``Policy``.

        ``pool.options(timeout=10, retries=3, redeliver=True).ask(Resize.run, path)``.

        Raises:
            OptionError: There is no such option, or its value is not acceptable.
        """
        check_names(options, {"timeout", *_OF_POLICIES})
        others = {name: options[name] for name in _OF_POLICIES if name in options}  # type: ignore[literal-required]
        pool = self.within(options["timeout"]) if "timeout" in options else self
        if not others:
            return pool
        policy = attrs.evolve(self._policy or Policy(), **others)
        return pool._with(_policy=policy if policy.retries else None)  # noqa: SLF001 - its own kind

    def _with(self, **changes: object) -> Self:
        other = type(self).__new__(type(self))
        for name in Pool.__slots__:
            setattr(other, name, changes.get(name, getattr(self, name)))
        return other

    # Many at once.

    @overload
    def map(
        self,
        method: Callable[[A, T], Coroutine[Any, Any, R]],
        items: Iterable[T] | AsyncIterable[T],
        *,
        in_flight: int = ...,
        ordered: bool = ...,
        return_exceptions: Literal[False] = ...,
        progress: bool = ...,
    ) -> Results[R]: ...
    @overload
    def map(
        self,
        method: Callable[[A, T], R],
        items: Iterable[T] | AsyncIterable[T],
        *,
        in_flight: int = ...,
        ordered: bool = ...,
        return_exceptions: Literal[False] = ...,
        progress: bool = ...,
    ) -> Results[R]: ...
    @overload
    def map(
        self,
        method: Callable[[A, T], Coroutine[Any, Any, R]],
        items: Iterable[T] | AsyncIterable[T],
        *,
        in_flight: int = ...,
        ordered: bool = ...,
        return_exceptions: bool,
        progress: bool = ...,
    ) -> Results[R | ItemError]: ...
    @overload
    def map(
        self,
        method: Callable[[A, T], R],
        items: Iterable[T] | AsyncIterable[T],
        *,
        in_flight: int = ...,
        ordered: bool = ...,
        return_exceptions: bool,
        progress: bool = ...,
    ) -> Results[R | ItemError]: ...
    def map(
        self,
        method: Callable[..., Any],
        items: Iterable[Any] | AsyncIterable[Any],
        *,
        in_flight: int = IN_FLIGHT,
        ordered: bool = True,
        return_exceptions: bool = False,
        progress: bool = False,
    ) -> Results[Any]:
        """Ask for *method* with each of *items*, and return the results as they come: for ``async for``, or ``for`` without a loop.

        Items are taken as there is room for them, so they may be endless. Those that take little travel several in a message, at most
        a millisecond's work; then a death costs those that were begun. With routing by key, or with ``retry_on``, each travels alone.

        Without ``within`` or a ``timeout`` a message has no deadline.

        Args:
            method: Of the workers' class; takes one argument.
            items: Anything to iterate over, asynchronous iterables as well.
            in_flight: How many items may be held at once: waiting, in hand, or done and not fetched.
            ordered: Whether the results come in the order of the items; else as they are done.
            return_exceptions: Whether an item that has failed gives an ``ItemError`` among the results; else that is raised, and ends it.
            progress: Whether to show how far it is: a bar below what workers print, where the program that owns the system has a terminal;
                else a line on standard error every five seconds. Items are counted as their results are given out.

        Cancellation:
            Leaving the loop, or cancelling the task it runs in, withdraws what no worker has taken yet.

        Raises (at the call):
            TypeError: *method* is not a public method of the workers' class, or *items* are none.
            OptionError: *in_flight* is not a whole number from 1.

        Raises (in the loop):
            ItemError: An item has failed; it is in the error. Whatever *items* raises comes after the results of those before.
        """
        name = message_name(self._crew.cls, method, self)
        whole("in_flight", in_flight, 1)
        given: object = items
        if not isinstance(given, Iterable | AsyncIterable):
            msg = f"items={items!r}: anything to iterate over"
            raise TypeError(msg)
        crew = self._crew
        timeout = self._timeout if self._is_limited else None
        is_single = self._is_keyed or (
            self._policy is not None and bool(self._policy.retry_on)
        )
        total = len(items) if isinstance(items, Sized) else None
        chunks: Chunks | Single = Single()
        if not is_single:
            name += services.EACH.encode()
            is_long = timeout is None and crew.may_take_long(method.__name__)
            chunks = Chunks(in_flight, len(crew.workers), total if is_long else None)

        def send(taken: list[Any]) -> Pending[Any]:
            args = (taken[0] if is_single else taken,)
            ask = functools.partial(
                self._ask, name, method.__qualname__, (args, {}), args, {}
            )
            if self._policy is None:
                return ask(timeout)
            return Call(crew.client, ask, self._policy, timeout).pending

        def begin() -> Progress:
            meter = Meter(method.__qualname__, total)
            return Progress(bars.display(crew.client), meter, self._lives)

        redelivers = self._policy is not None and self._policy.redeliver
        flight = Flight(crew.client, send, chunks, in_flight, redelivers=redelivers)
        return Results(
            crew.client,
            flight,
            items,
            ordered=ordered,
            return_exceptions=return_exceptions,
            progress=begin if progress else None,
        )

    def _lives(self) -> dict[str, int]:
        """Return the incarnations of the workers; of none once the system is closed."""
        try:
            return {each.name: each.incarnation for each in self.stats().workers}
        except (OSError, ActorError):
            return {}

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
        self._options.check_size(size)
        return self._crew.resize(size)

    def stats(self) -> PoolStats:
        """Return what the workers are doing; they do not notice.

        Raises:
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        self._crew.check_running()
        directory = self._crew.client.directory
        told = []
        for worker in self._crew.workers:
            try:
                told.append(stats.of_worker(directory, worker))
            except FileNotFoundError:  # it has ended just now
                continue
        numbers = {worker.number for worker in self._crew.workers} | {self._crew.shared}
        asked = list(self._crew.client.questions.open.values())
        outstanding = sum(pending.number in numbers for pending in asked)
        return PoolStats(len(told), tuple(told), outstanding)

    def drain(self) -> Pending[None]:
        """Return when all that this process has sent to the pool before is handled; what is sent meanwhile goes on behind it.

        A message that a worker died of counts as handled, as it does everywhere.

        Raises (when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._crew.drain()

    def stop(self) -> Pending[None]:
        """Let all workers finish what is queued and end for good; settled when they have.

        Stopping again does nothing more.
        """
        return self._crew.stop()


def open_pool(crew: Crew[A], options: PoolOptions) -> Pending[Pool[A]]:
    """Start the workers of *crew*; settled with the handle when all of them are ready, and none is left if one does not become so."""

    def enter(_: object) -> Pending[Pool[A]]:
        if options.autoscale is not None:
            Scaler(crew, options.autoscale)
        return settled(Pool(crew, options))

    return then(crew.client, crew.open(options), enter)
