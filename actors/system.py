"""The system: what a program opens to have actors, and what an actor sees of the system it lives in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Never, ParamSpec, Self, TypeVar, Unpack, cast, overload

from actors import (
    neighbour,  # noqa: F401 - first: it sees that everything below is ours
    planting,
    spawner,
    spawning,
)
from actors.actor import LEVELS, Actor
from actors.errors import SystemFailedError
from actors.events import Events
from actors.notices import Notices
from actors.options import check_names, listed, refused, seconds
from actors.pending import Pending
from actors.quarantine import Quarantine
from actors.ref import ActorRef
from actors.runtime.client import Client
from actors.runtime.waiting import refuse_in_loop
from actors.session import Session
from actors.settings import DRAIN_SECONDS, Output, Settings, check_running_name
from actors.spawner import Spawner, SystemKeywords
from actors.supervision.spec import Spec
from actors.supervisors import SupervisorRef
from actors.watches import Notice, Terminated
from actors.wire.parcel import MAX_MESSAGE_BYTES

A = TypeVar("A", bound=Actor)
P = ParamSpec("P")
T = TypeVar("T")

_TO_JOIN = {"name", "directory", "drain"}  # what attach takes


class ActorSystem:
    """A running system of actors, owned by this program: leaving it stops and reaps everything.

    ``attach`` joins one that another program owns.
    ``async with ActorSystem() as system`` in a coroutine, ``with`` or ``start``/``close`` elsewhere.
    It is bound to no event loop and no thread.
    """

    def __init__(  # noqa: PLR0913 - settings, by name
        self,
        name: str = "system",
        *,
        transport: str = "shm",
        directory: Path | str | None = None,
        drain: float = DRAIN_SECONDS,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        preload: Sequence[str] = (),
        output: Output = "labelled",
        **unknown: Never,
    ) -> None:
        """Describe a system; nothing is started yet.

        Args:
            name: Part of the name of its directory and of its processes.
            transport: Scheme of the mailboxes of actors that do not choose their own.
            directory: Where the system keeps its files; must be on a memory file system, belong to this user and be closed to others.
                None for ``/dev/shm/actors-<uid>``.
            drain: Seconds that a normal end gives actors to finish what is queued.
            max_message_bytes: The largest message, or result, that is taken: 1 MiB or more. Memory that is shared already does not count.
            preload: Names of modules that are imported once, before any actor starts: each starts sooner then, and shares their memory.
                They run in the supervisor, so nothing but what is safe to import there: no threads, no connections.
            output: What becomes of what actors write to standard output and standard error, C code and child processes included.
                ``"labelled"`` shows it on this program's, in whole lines with the actor's name in front; ``"inherit"`` leaves it as it is.
            unknown: Refused.

        Raises:
            OptionError: An argument is not acceptable, or there is no such argument.
        """
        check_names(unknown, Settings.names())
        settings = Settings(
            name=name,
            transport=transport,
            directory=directory,
            drain=drain,
            max_message_bytes=max_message_bytes,
            preload=preload,
            output=output,
        )
        self._session = Session(settings)

    @classmethod
    def attach(
        cls,
        name: str = "system",
        *,
        directory: Path | str | None = None,
        drain: float = DRAIN_SECONDS,
        **unknown: Never,
    ) -> Self:
        """Join a running system that another program of the same user owns; returned open.

        Leaving it, by ``close`` or at the end of a ``with`` or ``async with`` block, ends nothing but this program's part in it.
        Actors that this program has spawned stay: they belong to the system, and end with it.
        Should this program die, the system removes what belonged to its part.

        It takes a millisecond, and blocks meanwhile.

        Args:
            name: Of the system; where several of this name run, the full name of one, as ``actors ls`` shows it.
            directory: As the owner has given it.
            drain: Seconds that a normal end waits for room for what this program still has to send.
            unknown: Refused.

        Raises:
            SystemNotFoundError: No such system runs for this user, or several do.
            AttachError: It ended meanwhile, does not answer, or has no room for another program.
            SystemClosedError: It is closing.
            RuntimeDirectoryError: Its directory is not one we may use.
            OptionError: An argument is not acceptable, or there is no such argument.
        """
        check_names(unknown, _TO_JOIN)
        check_running_name(name)
        system = cls(name.partition(".")[0], directory=directory, drain=drain)
        system._session.join(name)
        return system

    @classmethod
    def _joined(cls, client: Client) -> ActorSystem:
        """Return the system as seen by one of its actors."""
        system = cls()
        system._session.enter(client)
        return system

    def __repr__(self) -> str:
        return f"<ActorSystem {self._session.settings.name} {self._session.state}>"

    def __reduce__(self) -> Any:  # noqa: ANN401 - the pickle protocol
        msg = "an ActorSystem cannot be sent; an actor has its own: self.system"
        raise TypeError(msg)

    # Opening and closing.

    def start(self) -> Self:
        """Start the root supervisor and wait until it is up: about a tenth of a second, also where an event loop runs.

        Raises:
            RuntimeDirectoryError: The directory is not one we may use.
            NoSpaceError: Its file system is too small.
            SystemFailedError: The root supervisor did not start, or a module of ``preload`` could not be imported.
            SystemClosedError: It was started before; a system is opened once.
            OSError: No process could be made.
        """
        self._session.start()
        return self

    def close(self, *, drain: float | None = None) -> None:
        """Stop everything and wait until it is gone; closing again does nothing.

        A system that was joined with ``attach`` is only left.

        Args:
            drain: Seconds that actors get to finish what is queued; None for what the system was made with.

        Raises:
            OptionError: *drain* is not acceptable.
            SystemFailedError: The system had ended by itself; nothing of it is left all the same.
        """
        if drain is not None:
            seconds("drain", drain)
        self._session.close(self._session.settings.drain if drain is None else drain)

    def __enter__(self) -> Self:
        refuse_in_loop("'with'", "use 'async with'")
        if not self._session.is_joined:
            self._session.start()  # as deep as in start: a warning names the line above us
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with _told_once(exc):
            self.close(drain=None if exc_type is None else 0)

    async def __aenter__(self) -> Self:
        if not self._session.is_joined:
            await self._session.start_in_loop()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with _told_once(exc):
            drain = self._session.settings.drain if exc_type is None else 0
            await self._session.close_in_loop(drain)

    # Actors.

    def options(self, **options: Unpack[SystemKeywords]) -> Spawner:
        """Return a way to spawn and to supervise with settings.

        Those of an actor are listed at ``Options``, those of a supervisor at ``SupervisorOptions`` and ``ChildOptions``.

        Raises:
            OptionError: A setting is not acceptable.
        """
        return Spawner(self._opened, options)

    def spawn(
        self, cls: Callable[P, A], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[ActorRef[A]]:
        """Start an actor of class *cls* in a process of its own; settled with its ref when it is ready.

        Args:
            cls: A subclass of ``Actor``; ``__main__`` and notebook classes work.
            args: For its ``__init__``, which runs in the new process, again at every restart. Large buffers in them are kept once, in
                shared memory, until the actor has ended.
            kwargs: Likewise.

        Raises (when awaited):
            SpawnError: It did not become ready; the reason carries the traceback.
            NameTakenError: An actor of this name runs already.
            SystemClosedError: The system is closing.
            SystemFailedError: It has ended by itself.

        Raises (at the call):
            TypeError: *cls* is not a subclass of ``Actor``, or the arguments do not fit its ``__init__``.
            NotSerializableError: The class or an argument cannot travel.
            MessageTooLargeError: The arguments are larger than the system takes; what ``share`` returned does not count.
            NoSpaceError: They are large, and shared memory has no room for them.
            SystemClosedError: The system is not running.
            SystemFailedError: It has ended by itself.

        Cancellation:
            Only the waiting ends; the actor starts all the same.
        """
        return spawner.spawn(self._opened, spawner.PLAIN, cls, args, kwargs)

    def supervise(self, *children: Spec) -> Pending[SupervisorRef]:
        """Start a supervisor, a process of its own, with *children*; settled when the last of them is ready.

        It restarts them as their settings and its own say, and gives up when that happens too often: then it ends with all of them, and is
        restarted itself, three times in five seconds, before the system ends with ``SystemFailedError``.

        Args:
            children: In start order: ``options(name=…).child(Class, …)``, or ``options(…).supervisor(…)``.

        Raises (when awaited):
            SpawnError: A child did not become ready; the reason says which and why, and nothing is left of the others.
            NameTakenError: An actor of one of the names runs already.
            SystemClosedError: The system is closing.
            SystemFailedError: It has ended by itself.

        Raises (at the call):
            OptionError: The children do not go together.
            TypeError: One of them is no specification.
            NotSerializableError: A class or an argument cannot travel.
            MessageTooLargeError: The arguments of one are larger than the system takes.
            NoSpaceError: They are large, and shared memory has no room for them.
            SystemClosedError: The system is not running.
            SystemFailedError: It has ended by itself.
        """
        return Spawner(self._opened, {}).supervise(*children)

    def lookup(self, name: str, cls: type[A]) -> Pending[ActorRef[A]]:
        """Return the ref of the actor that was spawned with this name.

        Args:
            name: As given to ``options(name=…)``; bound until the actor has ended for good, also while it restarts.
            cls: Its class or a base of it.

        Raises (when awaited):
            ActorNotFoundError: There is none, or it is of another class.
            SystemFailedError: The system has ended by itself.

        Raises (at the call):
            TypeError: *cls* is not a class.
            OptionError: *name* is no string.
            SystemClosedError: The system is not running.
            SystemFailedError: It has ended by itself.
        """
        _check_actor_name(name)
        _check_class(cls)
        client = self._opened()
        facts = {"name": name, "class": spawning.class_name(cls)}
        convert = planting.ref_maker(client, cls)
        return client.request("lookup", facts, convert=convert, about=name)

    def share(self, value: T) -> T:
        """Return a copy of *value* whose buffers lie in shared memory, read-only: whatever sends it copies nothing.

        It may be sent to any number of actors, in messages, results and constructors, and sent on by them; all look at the same memory,
        which is given back when the last of them, or the last process that holds it, is gone.
        What *value* holds besides its buffers is copied with each message.

        Args:
            value: A contiguous numpy array, or anything that holds some: whatever has buffers that pickle takes out of band (protocol 5).

        Raises:
            TypeError: There is no buffer in it.
            NotSerializableError: It cannot travel.
            NoSpaceError: Shared memory has no room for it.
            SystemClosedError: The system is not running.
            SystemFailedError: It has ended by itself.
        """
        return cast("T", self._opened().share(value))

    @overload
    def watch(self, ref: ActorRef[Any]) -> Notices[Terminated]: ...
    @overload
    def watch(
        self, ref: ActorRef[Any], *, level: Literal["incarnation"]
    ) -> Notices[Notice]: ...
    def watch(self, ref: ActorRef[Any], *, level: str = "actor") -> Notices[Any]:
        """Hear a ``Terminated`` once an actor has ended for good, or at once if it has ended already.

        It comes exactly once, after every answer that the actor has given to this process.
        A restart is no end; with ``level="incarnation"`` there is also a ``Down`` at each death of its process, and an ``Up`` when the
        next is ready.
        An actor has its own way to watch, which calls one of its methods: ``self.watch``.

        Args:
            ref: Who is watched; watched twice, it is heard of twice.
            level: ``"actor"`` for its end alone, or ``"incarnation"``.

        Raises:
            TypeError: *ref* is no ref.
            OptionError: *level* is neither.
            ActorError: *ref* is of another system.
            SystemClosedError: The system is not running.
            SystemFailedError: It has ended by itself.
        """
        if level not in LEVELS:
            raise refused("level", level, listed(LEVELS))
        return Notices(self._opened(), ref, is_close=level == "incarnation")

    def events(self) -> Events:
        """Return the life-cycle events and dead letters of the system from now on.

        Raises:
            SystemClosedError: The system is not running.
            SystemFailedError: It has ended by itself.
        """
        return Events(self._opened())

    @property
    def quarantine(self) -> Quarantine:
        """The messages that every process has died of; see ``Redeliver``.

        Raises:
            SystemClosedError: The system is not running.
        """
        return Quarantine(self._opened())

    def _opened(self) -> Client:
        return self._session.client


@contextlib.contextmanager
def _told_once(left_by: BaseException | None) -> Iterator[None]:
    """Close a system whose block was *left_by* an error; where that says that the system has ended, closing need not say it again."""
    try:
        yield
    except SystemFailedError:
        if not isinstance(left_by, SystemFailedError):
            raise


def _check_actor_name(name: object) -> None:
    if not isinstance(name, str):
        raise refused("name", name, "the name that was given to options(name=…)")


def _check_class(value: object) -> None:
    if not isinstance(value, type):
        msg = f"cls={value!r}: the actor's class, or a base of it"
        raise TypeError(msg)
