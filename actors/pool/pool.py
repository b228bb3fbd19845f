"""The handle of a pool: messages to whoever is free, or to all."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
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
from actors.messages import known, message_name
from actors.options import check_names, whole
from actors.pending import Pending
from actors.pool.calls import Call
from actors.pool.crew import Crew
from actors.pool.distant import Distant
from actors.pool.mapping import Mapping, Wishes
from actors.pool.policy import CallKeywords, Policy
from actors.pool.results import Results
from actors.pool.sender import Sender
from actors.pool.stats import PoolStats
from actors.ref import ActorRef
from actors.timeout import DEFAULT_TIMEOUT, check_timeout

A = TypeVar("A", bound=Actor)
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

IN_FLIGHT = 64  # items of a map
_OF_POLICIES = tuple(field.name for field in attrs.fields(Policy))


class Pool(Generic[A]):
    """Workers of class ``A`` behind one handle, which is used like a ref.

    It comes from ``system.options(size=4).pool(Resize, …)``.
    One whose workers share a mailbox, as they do by default, may be sent to other processes of the system: there it takes messages
    (``ask``, ``tell``, ``map``), and everything else raises ``ActorError``.
    """

    __slots__ = ("_crew", "_is_limited", "_policy", "_sender", "_timeout")

    def __init__(self, crew: Crew[A] | Distant[A]) -> None:
        """Speak to the workers of *crew*."""
        self._crew = crew
        self._sender = Sender(crew)
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
        return self._own("size").size

    @property
    def workers(self) -> tuple[ActorRef[A], ...]:
        """The workers' own refs, by ``worker_index``."""
        return tuple(worker.ref for worker in self._own("workers").workers)

    def _own(self, use: str) -> Crew[A]:
        """Return the workers, for what only the process that made the pool can do."""
        if isinstance(self._crew, Crew):
            return self._crew
        msg = f"the pool {self.name} was made by another process: only there it has {use!r}; here it takes messages, by ask, tell and map"
        raise ActorError(msg)

    def __repr__(self) -> str:
        if isinstance(self._crew, Crew):
            return f"<Pool {self.name} of {self.size}>"
        return f"<Pool {self.name} of another process>"

    def __reduce__(self) -> tuple[Any, ...]:
        crew = self._crew
        if crew.shared is None:
            msg = (
                f"{self!r} cannot be sent: its routing chooses a worker in the process that made it; "
                "make it with routing='shared', or send one of its workers"
            )
            raise TypeError(msg)
        place = (crew.system, crew.shared, crew.name, crew.size)
        return _arrived, (place, self._timeout, self._is_limited, self._policy)

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
        cls, shared = crew.cls, crew.shared
        name = known.get((cls, method)) or message_name(cls, method, self)
        label = method.__qualname__
        arguments = args, kwargs
        if self._policy is not None:
            send = functools.partial(self._sender.ask, name, label, arguments)
            return Call(crew.client, send, self._policy, self._timeout).pending
        if shared is not None:  # as the sender does, with a call less
            return crew.client.ask(
                shared, crew.name, name, label, arguments, self._timeout
            )
        return self._sender.ask(name, label, arguments, self._timeout)

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
        name = known.get((crew.cls, method)) or message_name(crew.cls, method, self)
        label = method.__qualname__
        return self._sender.tell(name, label, (args, kwargs), self._timeout)

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
        return self._own("broadcast").each(
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
        a millisecond's work, or 100 where *items* has a length and nothing limits what a message may take; then a death costs those that
        were begun. With routing by key, or with ``retry_on``, each travels alone.

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
        timeout = self._timeout if self._is_limited else None
        mapping = Mapping(self._crew, self._sender, self._policy, timeout)
        wishes = Wishes(in_flight, ordered, return_exceptions, progress)
        return mapping.over(items, method, name, wishes)

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
            ActorError: The pool was stopped, or another process has made it.
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._own("resize").resize(size)

    def stats(self) -> PoolStats:
        """Return what the workers are doing, and how much waits for them; they do not notice.

        Raises:
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._own("stats").stats()

    def drain(self) -> Pending[None]:
        """Return when all that this process has sent to the pool before is handled; what is sent meanwhile goes on behind it.

        A message that a worker died of counts as handled, as it does everywhere.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._own("drain").drain()

    def stop(self) -> Pending[None]:
        """Let all workers finish what is queued and end for good; settled when they have.

        Stopping again does nothing more.
        """
        return self._own("stop").stop()


def _arrived(
    place: tuple[str, int, str, int],
    timeout: float | None,
    is_limited: bool,  # noqa: FBT001 - of a pickle
    policy: Policy | None,
) -> Pool[Any]:
    """Return a pool that has been sent."""
    pool: Pool[Any] = Pool(Distant(*place))
    pool._timeout, pool._is_limited, pool._policy = timeout, is_limited, policy  # noqa: SLF001 - its own kind
    return pool
