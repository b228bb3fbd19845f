"""The system: what a program opens to have actors, and what an actor sees of the system it lives in."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import inspect
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import (
    Any,
    Literal,
    Never,
    ParamSpec,
    Self,
    TypeVar,
    Unpack,
    cast,
    get_args,
)

from actors import (
    neighbour,  # noqa: F401 - first: it sees that everything below is ours
    planting,
    spawning,
)
from actors.actor import Actor
from actors.attach import Attachment, join
from actors.errors import (
    ForkedHandleError,
    OptionError,
    SystemClosedError,
    SystemFailedError,
)
from actors.events import Events
from actors.launch import Root, launch
from actors.options import OptionKeywords, Options, check_names, refused, seconds, whole
from actors.pending import Pending
from actors.pool.crew import Crew
from actors.pool.pool import Pool, open_pool
from actors.pool.settings import OF_POOLS, PoolKeywords
from actors.pool.settings import split as split_pool
from actors.quarantine import Quarantine
from actors.ref import ActorRef
from actors.runtime.client import Client
from actors.runtime.waiting import refuse_in_loop
from actors.supervision.settings import SpecKeywords, split
from actors.supervision.spec import OF_CHILDREN, OF_SUPERVISORS, Spec, SupervisorSpec
from actors.supervision.spec import options as describe
from actors.supervisors import SupervisorRef
from actors.wire.parcel import MAX_MESSAGE_BYTES
from transports import registry
from transports.errors import EndpointError

A = TypeVar("A", bound=Actor)
P = ParamSpec("P")
T = TypeVar("T")
Output = Literal["labelled", "inherit"]

SYSTEM_NAME = re.compile(r"[a-z0-9_-]{1,32}")
RUNNING_NAME = re.compile(r"[a-z0-9_-]{1,32}(\.[0-9]{1,20})?")
DRAIN_SECONDS = 5.0
MIN_MAX_MESSAGE_BYTES = 2**20
FLUSH_SECONDS = 0.001
IN_ONE_PROCESS = "memory"  # the one transport that does not reach another process


class SystemKeywords(SpecKeywords, PoolKeywords, total=False):
    """What ``ActorSystem.options`` takes."""


class Spawner:
    """Settings that have been checked, ready to make actors and supervisors."""

    def __init__(self, system: ActorSystem, settings: SystemKeywords) -> None:
        self._system = system
        self._settings: dict[str, Any] = {**settings}

    def spawn(
        self, cls: Callable[P, A], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[ActorRef[A]]:
        """Start an actor with these settings; see ``ActorSystem.spawn``.

        Raises:
            OptionError: A setting is one of supervisors, or of supervised actors.
        """
        for name in self._settings.keys() - Options.names():
            raise refused(name, self._settings[name], _meant_for(name))
        return self._system._spawn(Options(**self._settings), cls, args, kwargs)  # noqa: SLF001 - two halves of one call

    def pool(
        self, cls: Callable[P, A], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[Pool[A]]:
        """Start workers of class *cls* with these settings; settled with the pool when all of them are ready.

        Args:
            cls: A subclass of ``Actor``.
            args: For the ``__init__`` of each; what is large is better shared: see ``ActorSystem.share``.
            kwargs: Likewise.

        Raises (when awaited):
            SpawnError: A worker did not become ready; the others are stopped.
            SystemClosedError: The system is closing.
            SystemFailedError: It has ended by itself.

        Raises (at the call):
            OptionError: A setting is none of pools.
            And what ``ActorSystem.spawn`` raises.
        """
        return self._system._pool(self._settings, cls, args, kwargs)  # noqa: SLF001 - two halves of one call

    def supervise(self, *children: Spec) -> Pending[SupervisorRef]:
        """Start a supervisor of *children* with these settings; see ``ActorSystem.supervise``."""
        for name in self._settings.keys() & OF_POOLS:
            raise refused(name, self._settings[name], _meant_for(name))
        settings = {"id": self._settings.get("name") or "supervisor", **self._settings}
        spec = describe(**settings).supervisor(*children)
        return self._system._supervise(spec)  # noqa: SLF001 - two halves of one call


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
        check_names(unknown, _SETTINGS)
        _check_name(name)
        _check_transport(transport)
        seconds("drain", drain)
        whole("max_message_bytes", max_message_bytes, MIN_MAX_MESSAGE_BYTES)
        _check_modules(preload)
        _check_output(output)
        self._output = output
        self._preload = tuple(preload)
        self._name = name
        self._transport = transport
        self._base = _checked_directory(directory)
        self._drain = drain
        self._max_message_bytes = max_message_bytes
        self._part: Root | Attachment | None = None  # what there is to close
        self._client: Client | None = None

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
        check_names(unknown, _SETTINGS_TO_JOIN)
        _check_running_name(name)
        system = cls(name.partition(".")[0], directory=directory, drain=drain)
        system._part = join(system._base, name)
        system._client = system._part.client
        _open.add(system)
        return system

    def _is_attached(self) -> bool:
        return isinstance(self._part, Attachment)

    @classmethod
    def _joined(cls, client: Client) -> ActorSystem:
        """Return the system as seen by one of its actors."""
        system = cls()
        system._client = client
        return system

    def __repr__(self) -> str:
        state = (
            "not started"
            if self._client is None
            else "open"
            if self._client.ended_with is None
            else "closed"
        )
        return f"<ActorSystem {self._name} {state}>"

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
        hello = self._launch()
        try:
            with self._standing_still():
                hello.result()
        except BaseException:
            self._end(at_once=True)
            raise
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
        if not self._is_ours():
            return
        limit = self._drain if drain is None else drain
        deadline = time.monotonic() + limit
        try:
            with self._standing_still():
                self._flush(deadline)
                self._ask_to_close(limit).result()
        except BaseException:  # a second Ctrl-C: it has waited long enough
            self._end(at_once=True)
            raise
        self._end()

    def _launch(self) -> Pending[Any]:
        if self._client is not None:
            msg = "the system was started before; make a new ActorSystem"
            raise SystemClosedError(msg)
        self._part = launch(
            self._base,
            self._name,
            self._transport,
            self._max_message_bytes,
            self._preload,
            self._output,
        )
        self._client = self._part.client
        _open.add(self)
        return self._client.request("hello", {})

    def _ask_to_close(self, drain: float) -> Pending[Any]:
        assert self._part is not None  # noqa: S101 - seen by whoever calls; for the checkers
        return self._part.finish(drain)

    @contextlib.contextmanager
    def _standing_still(self) -> Iterator[None]:
        """Let this thread block although a loop may run in it: in a notebook one always does."""
        waiting = self._opened().waiting
        before, waiting.in_hook = waiting.in_hook, True
        try:
            yield
        finally:
            waiting.in_hook = before

    def _has_backlog(self) -> bool:
        return bool(self._opened().outgoing.backlog)

    def _flush(self, deadline: float) -> None:
        """Wait for room for what this process still has to send; questions wait for answers to others as well."""
        client = self._opened()
        for letter in list(client.outgoing.waiting()):
            client.block(letter.pending, max(0.0, deadline - time.monotonic()))

    def _is_ours(self) -> bool:
        """Return whether there is something to close, in the process that started it."""
        is_copy = self._client is not None and isinstance(
            self._client.ended_with, ForkedHandleError
        )
        return self._part is not None and not is_copy

    def _end(self, *, at_once: bool = False) -> None:
        part, self._part = self._part, None
        _open.discard(self)
        if part is not None:
            part.end(at_once=at_once)

    def __enter__(self) -> Self:
        refuse_in_loop("'with'", "use 'async with'")
        return self if self._is_attached() else self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with _told_once(exc):
            self.close(drain=None if exc_type is None else 0)

    async def __aenter__(self) -> Self:
        if self._is_attached():
            return self
        hello = self._launch()
        try:
            await hello
        except BaseException:
            self._end(at_once=True)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with _told_once(exc):
            await self._close(self._drain if exc_type is None else 0)

    async def _close(self, limit: float) -> None:
        if not self._is_ours():
            return
        deadline = time.monotonic() + limit
        try:
            while self._has_backlog() and time.monotonic() < deadline:  # noqa: ASYNC110 - room is nobody's event
                # The loop flushes what waits for room.
                await asyncio.sleep(FLUSH_SECONDS)
            await self._ask_to_close(limit)
            if isinstance(self._part, Root):
                await self._part.exited()
        except BaseException:  # a second Ctrl-C: it has waited long enough
            self._end(at_once=True)
            raise
        self._end()

    # Actors.

    def options(self, **options: Unpack[SystemKeywords]) -> Spawner:
        """Return a way to spawn and to supervise with settings.

        Those of an actor are listed at ``Options``, those of a supervisor at ``SupervisorOptions`` and ``ChildOptions``.

        Raises:
            OptionError: A setting is not acceptable.
        """
        if options.keys() & OF_POOLS:
            split_pool(options)
        elif (options.keys() - Options.names()) & (OF_CHILDREN | OF_SUPERVISORS):
            describe(**cast("SpecKeywords", options))
        else:
            Options.from_keywords(cast("OptionKeywords", options))
        if (transport := options.get("transport")) is not None:
            _check_transport(transport)
        return Spawner(self, options)

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
        return self._spawn(Options(), cls, args, kwargs)

    def _spawn(
        self,
        options: Options,
        cls: Callable[..., A],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Pending[ActorRef[A]]:
        cls = spawning.check(cls, args, kwargs)
        return planting.spawn(self._opened(), split(options), cls, args, kwargs)

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
        return Spawner(self, {}).supervise(*children)

    def _supervise(self, spec: SupervisorSpec) -> Pending[SupervisorRef]:
        client = self._opened()

        def started(facts: dict[str, Any]) -> SupervisorRef:
            known = planting.known(spec, facts["planted"])
            return SupervisorRef(client, facts["number"], facts["name"], known)

        return planting.send(client, "supervise", spec, started)

    def _pool(
        self,
        settings: dict[str, Any],
        cls: Callable[..., A],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Pending[Pool[A]]:
        own, worker, supervisor = split_pool(settings)
        checked = spawning.check(cls, args, kwargs)
        name = settings.get("name") or checked.__name__
        crew = Crew(
            self._opened(), name, (worker, supervisor), checked, (args, kwargs), own
        )
        return open_pool(crew, own)

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
        if self._client is None:
            msg = "the system is not running: use 'async with ActorSystem() as system', 'with', or start()"
            raise SystemClosedError(msg)
        return self._client


def _meant_for(option: str) -> str:
    if option in OF_POOLS:
        return "an option of pools only; use pool"
    return "an option of supervisors and their children only; use supervise"


@contextlib.contextmanager
def _told_once(left_by: BaseException | None) -> Iterator[None]:
    """Close a system whose block was *left_by* an error; where that says that the system has ended, closing need not say it again."""
    try:
        yield
    except SystemFailedError:
        if not isinstance(left_by, SystemFailedError):
            raise


def _settings(function: Callable[..., object]) -> set[str]:
    """Return the names of what *function* takes; a name that nobody knows goes elsewhere in it."""
    known = inspect.signature(function).parameters.values()
    return {each.name for each in known if each.kind is not each.VAR_KEYWORD}


_SETTINGS = _settings(ActorSystem)
_SETTINGS_TO_JOIN = _settings(ActorSystem.attach)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not SYSTEM_NAME.fullmatch(name):
        msg = f"name={name!r}: 1 to 32 characters out of a-z, 0-9, '_' and '-'"
        raise OptionError(msg)


def _check_running_name(name: object) -> None:
    if not isinstance(name, str) or not RUNNING_NAME.fullmatch(name):
        msg = f"name={name!r}: the name of a running system, as 'actors ls' shows it, with or without its number"
        raise OptionError(msg)


def _checked_directory(directory: object) -> Path | None:
    if directory is not None and not isinstance(directory, str | Path):
        msg = f"directory={directory!r}: a path, as str or Path"
        raise OptionError(msg)
    return None if directory is None else Path(directory)


def _check_modules(preload: object) -> None:
    if (
        isinstance(preload, str | bytes)
        or not isinstance(preload, Sequence)
        or not all(_is_module(each) for each in preload)
    ):
        msg = f"preload={preload!r}: a sequence of module names, such as ('numpy',)"
        raise OptionError(msg)


def _check_output(output: object) -> None:
    if output not in get_args(Output):
        accepted = " or ".join(map(repr, get_args(Output)))
        raise refused("output", output, accepted)


def _is_module(name: object) -> bool:
    return isinstance(name, str) and all(
        part.isidentifier() for part in name.split(".")
    )


def _check_actor_name(name: object) -> None:
    if not isinstance(name, str):
        msg = f"name={name!r}: the name that was given to options(name=…)"
        raise OptionError(msg)


def _check_class(value: object) -> None:
    if not isinstance(value, type):
        msg = f"cls={value!r}: the actor's class, or a base of it"
        raise TypeError(msg)


def _check_transport(scheme: str) -> None:
    """Refuse a transport that actors cannot use."""
    try:
        if scheme != IN_ONE_PROCESS:
            registry.get(scheme)
            return
    except EndpointError as exc:
        if scheme in registry.schemes():  # of a package that has it wrong
            msg = f"transport={scheme!r}: {exc}"
            raise OptionError(msg) from exc
    usable = [repr(name) for name in registry.schemes() if name != IN_ONE_PROCESS]
    msg = f"transport={scheme!r}: one of {', '.join(usable)}"
    raise OptionError(msg)


# Held strongly: refs go on working when a program keeps them alone.
_open: set[ActorSystem] = set()


@atexit.register
def _close_all() -> None:
    """Close what a program forgot to close, so that its actors get their orderly end."""
    for system in list(_open):
        # The program ends, and there is nobody left to tell.
        with contextlib.suppress(Exception):
            system.close()


os.register_at_fork(after_in_child=_open.clear)  # the parent closes its own
