"""The base class of actors: what a user's class gets, and what the runtime reads from it.

Nothing here talks to a process: what an actor may use is its ``context``, and outside of an actor's process it is a plain object.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from types import FunctionType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Concatenate,
    Literal,
    ParamSpec,
    Self,
    TypeVar,
    overload,
)

from actors import signals
from actors.context import Timer, context
from actors.handlers import check_limit, check_on_error
from actors.options import (
    MAX_CONCURRENCY,
    OnError,
    above_zero,
    is_whole,
    listed,
    refused,
    seconds,
)

if TYPE_CHECKING:  # for annotations only: ref and system know of actors at run time
    import asyncio

    from actors.exits import ExitReason
    from actors.ref import ActorRef
    from actors.system import ActorSystem
    from actors.watches import Exit, Link, Notice, Terminated, Watch

P = ParamSpec("P")
R = TypeVar("R")

LEVELS = "actor", "incarnation"  # of what is watched: its end, or all its lives


def _check_flag(setting: str, value: object) -> None:
    if not isinstance(value, bool):
        raise refused(setting, value, "True or False")


def _check_hook(cls: type[Any], name: str, *args: str) -> None:
    """Check that the hook *name* of *cls*, if it has its own, can be called with *args*."""
    hook = vars(cls).get(name)
    if not inspect.isfunction(hook):
        return
    try:
        _signature(hook).bind(cls, *args)
    except TypeError as exc:
        takes = ", ".join(("self", *args))
        msg = f"{cls.__name__}.{name} cannot be called with ({takes}), as it will be: {exc}"
        raise TypeError(msg) from None


class Actor:
    """Base class of actors.

    An actor runs in a process of its own and handles one message at a time.
    Public methods, plain or ``async``, are its messages; those whose names begin with ``_`` are its own, also as timers and signal handlers.
    ``ref``, ``system``, ``log`` and the timers work from ``__init__`` on, without calling ``super().__init__()``.
    In an object that no ``spawn`` has made they raise ``RuntimeError``.

    Class attributes:
        concurrency: How many messages it may have in hand at once; only ``async`` handlers profit from more than one.
        on_error: What an exception in a handler does. None: one of an ask goes to the asker and the actor goes on, one of a tell
            crashes it. ``crash`` and ``continue`` do the same for both.
        writable_buffers: Whether arrays and other large buffers in its messages may be written to: each page becomes a copy of the
            actor's own as it is. What its sender could not write to stays read-only all the same, as pickle has it.
            False leaves all of them read-only, and lets the actor send them on without a copy.
        handler_timeout: Seconds that one handler may take, waiting included; then the process is ended, as a crash, and the stacks of
            its threads are in the exit reason. Timers count as handlers. None sets no limit.
    """

    concurrency: ClassVar[int] = 1
    on_error: ClassVar[OnError | None] = None
    writable_buffers: ClassVar[bool] = False
    handler_timeout: ClassVar[float | None] = None

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Refuse a class that would break its own runtime.

        Raises:
            TypeError: It overrides a name of ``Actor`` that is neither a hook nor a setting, its constructor is ``async``, or a hook cannot
                be called as it will be.
            OptionError: ``concurrency``, ``on_error``, ``writable_buffers`` or ``handler_timeout`` is not acceptable.
        """
        super().__init_subclass__(**kwargs)
        for name in vars(cls):
            if name in _RESERVED:
                msg = f"{cls.__name__}.{name} would hide Actor.{name}, which the runtime needs; choose another name"
                raise TypeError(msg)
        if inspect.iscoroutinefunction(vars(cls).get("__init__")):
            msg = f"{cls.__name__}.__init__ cannot be async: await in 'async def on_start', which runs after it and before the first message"
            raise TypeError(msg)
        _check_hook(cls, "on_start")
        _check_hook(cls, "on_stop", "the reason")
        n = cls.concurrency
        if not is_whole(n) or not 1 <= n <= MAX_CONCURRENCY:
            accepted = f"a whole number from 1 to {MAX_CONCURRENCY}"
            raise refused(f"{cls.__name__}.concurrency", n, accepted)
        if cls.on_error is not None:
            check_on_error(cls.on_error)
        _check_flag(f"{cls.__name__}.writable_buffers", cls.writable_buffers)
        check_limit(f"{cls.__name__}.handler_timeout", cls.handler_timeout)

    # Hooks.

    def on_start(self) -> Coroutine[Any, Any, None] | None:
        """Run in the actor's process after ``__init__``, before the first message, in every incarnation.

        May be ``async``. If it raises, the start has failed: the first time the spawner gets the error, later it counts as a crash.
        """

    def on_stop(self, reason: ExitReason) -> Coroutine[Any, Any, None] | None:
        """Run in the actor's process after its last message, whether it was stopped, stopped itself or raised.

        May be ``async``. It does not run when the process is killed.
        If it raises after a stop, the actor counts as crashed; after a crash the first reason stays.

        Args:
            reason: Why the actor ends.
        """

    # What the actor may use.

    @property
    def ref(self) -> ActorRef[Self]:
        """This actor's own address; the same in every incarnation."""
        return context().ref

    @property
    def system(self) -> ActorSystem:
        """The system this actor belongs to: spawn and look up others."""
        return context().system

    @property
    def log(self) -> Any:  # noqa: ANN401 - structlog's loggers have no common type
        """A structlog logger bound to the actor's name and incarnation."""
        return context().log

    @property
    def worker_index(self) -> int:
        """This worker's place in its pool, from 0: the same in every incarnation, and in the worker that takes over from it.

        It chooses what each worker has for itself, a GPU or a port, say.

        Raises:
            RuntimeError: The actor is no worker of a pool.
        """
        index = context().worker_index
        if index is None:
            msg = f"{type(self).__name__} was not started by a pool: only workers of system.options(size=…).pool(…) have a worker_index"
            raise RuntimeError(msg)
        return index

    def stop(self) -> None:
        """End after the message in hand; the restart type decides whether the actor starts again (by default not).

        In ``__init__`` or ``on_start`` it says that there is nothing to do: a child of a supervisor counts as started then, and stays down
        until its siblings are restarted with it or somebody starts it. A plain ``spawn`` fails.
        """
        context().stop()

    def after(
        self,
        delay: float,
        method: Callable[Concatenate[Self, P], Any],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Timer:
        """Call *method* once in *delay* seconds, between messages like a tell; not kept over a restart.

        Raises:
            OptionError: *delay* is not a number of seconds, 0 or more.
            TypeError: *method* is not a method of this actor's class, or the arguments do not fit it.
        """
        seconds("delay", delay)
        name = _own(self, method, args, kwargs)
        return context().after(delay, name, args, kwargs)

    def every(
        self,
        period: float,
        method: Callable[Concatenate[Self, P], Any],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Timer:
        """Call *method* every *period* seconds, between messages like a tell; not kept over a restart.

        A tick that is due while the last one waits or runs is left out.

        Raises:
            OptionError: *period* is not a number of seconds above 0.
            TypeError: *method* is not a method of this actor's class, or the arguments do not fit it.
        """
        above_zero("period", period)
        name = _own(self, method, args, kwargs)
        return context().every(period, name, args, kwargs)

    @overload
    def watch(
        self, ref: ActorRef[Any], method: Callable[[Self, Terminated], Any], /
    ) -> Watch: ...
    @overload
    def watch(
        self,
        ref: ActorRef[Any],
        method: Callable[[Self, Notice], Any],
        /,
        *,
        level: Literal["incarnation"],
    ) -> Watch: ...
    def watch(
        self,
        ref: ActorRef[Any],
        method: Callable[[Self, Any], Any],
        /,
        *,
        level: str = "actor",
    ) -> Watch:
        """Call *method* with a ``Terminated`` once another actor has ended for good, or at once if it has ended already.

        It is called exactly once, between messages like a tell, after everything that the other had sent to this actor.
        A restart is no end; with ``level="incarnation"`` *method* also gets a ``Down`` at each death of the other's process, and an ``Up``
        when the next is ready.
        The watch ends with this incarnation: to go on after a restart, watch in ``__init__`` or ``on_start``.

        Args:
            ref: Who is watched; watched twice, it is heard of twice.
            method: A method of this actor's class that takes what there is to be heard.
            level: ``"actor"`` for its end alone, or ``"incarnation"``.

        Raises:
            TypeError: *ref* is no ref, or *method* is not a method of this actor's class that takes one argument.
            OptionError: *ref* is this actor itself, or *level* is neither.
            ActorError: *ref* is of another system.
        """
        if level not in LEVELS:
            raise refused("level", level, listed(LEVELS))
        name = _own(self, method, (None,), {}, takes="one argument: what is heard")
        return context().watch(ref, name, is_close=level == "incarnation")

    def link(
        self,
        ref: ActorRef[Any],
        method: Callable[[Self, Exit], Any] | None = None,
        /,
    ) -> Link:
        """End this actor's process when another's dies by a crash or a kill, and the other's when this one's does.

        It is asked to end as by SIGTERM, for the reason ``linked``, which is a crash: its supervisor decides what follows.
        An end in order ends nobody else.
        The link holds between the two processes that there are, or of the other the next one if it is being started; what comes after
        a restart links itself anew, best in ``__init__``.
        With one that has ended for good nobody can be linked: that counts as its death.

        Args:
            ref: Who is linked; a link of both is one.
            method: A method of this actor's class that takes an ``Exit``: it is called instead, and this process goes on. None ends it.

        Raises:
            TypeError: *ref* is no ref, or *method* is not a method of this actor's class that takes one argument.
            OptionError: *ref* is this actor itself.
            ActorError: *ref* is of another system.
        """
        if method is None:
            return context().link(ref, None)
        name = _own(self, method, (None,), {}, takes="one argument: the Exit")
        return context().link(ref, name)

    def on_signal(self, signum: int, method: Callable[[Self], Any], /) -> None:
        """Call *method* between messages, like a tell, when the process gets this signal.

        Raises:
            OptionError: The signal cannot be caught, or the runtime needs it.
            TypeError: *method* is not a method of this actor's class, or the arguments do not fit it.
        """
        signals.check_catchable(signum)
        name = _own(self, method, (), {}, takes="no arguments")
        context().on_signal(signum, name)

    def start_task(self, coro: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Run *coro* beside the messages; its exception crashes the actor, and it is cancelled before ``on_stop``."""
        return context().start_task(coro)


_HOOKS = frozenset(
    {
        "on_start",
        "on_stop",
        "concurrency",
        "on_error",
        "writable_buffers",
        "handler_timeout",
    }
)
_RESERVED = frozenset(name for name in vars(Actor) if not name.startswith("_")) - _HOOKS
_OF_ALL = _RESERVED | _HOOKS


def handler_names(cls: type[Any]) -> list[str]:
    """Return the names under which *cls* takes messages: its public methods, without those of ``Actor``."""
    return [name for name in method_names(cls) if is_public(name)]


def is_public(name: str) -> bool:
    """Return whether a method *name* takes messages."""
    return not name.startswith("_")


def method_names(cls: type[Any]) -> list[str]:
    """Return the names of the plain methods of *cls*, private ones as well, without those of ``Actor``."""
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        found |= vars(base)
    return sorted(
        name
        for name in found.keys() - _OF_ALL
        if isinstance(found[name], FunctionType) and not name.startswith("__")
    )


def is_own_of_actor(name: str) -> bool:
    """Return whether *name* is one that every actor has: a hook, a setting, or something for the actor itself."""
    return name in _OF_ALL


def _own(
    actor: Actor,
    method: object,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    takes: str | None = None,
) -> str:
    """Return the name of *method*, a method of *actor*'s class that can be called with these arguments.

    Those that the runtime passes are described by *takes*.

    Raises:
        TypeError: It is something else, or the arguments do not fit.
    """
    cls = type(actor)
    name = getattr(method, "__name__", "")
    if not inspect.isfunction(method) or not callable(getattr(cls, name, None)):
        raise TypeError(_not_own(cls, method))
    try:
        _signature(getattr(cls, name)).bind(actor, *args, **kwargs)
    except TypeError as exc:
        wrong = f"has to take {takes}" if takes else "cannot be called like this"
        msg = f"{cls.__name__}.{name} {wrong}: {exc}"
        raise TypeError(msg) from None
    return name


@functools.lru_cache
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    # As it is called: a decorator may add what it wraps away.
    return inspect.signature(function, follow_wrapped=False)


def _not_own(cls: type[Actor], method: object) -> str:
    """Return what to say of *method*, with the one that was meant as example where that can be told."""
    names = method_names(cls)
    meant = method if isinstance(method, str) else getattr(method, "__name__", None)
    example = meant if meant in names else next(iter(names), "tick")
    found = "a bound method" if inspect.ismethod(method) else repr(method)
    return f"pass a method of the class, such as {cls.__name__}.{example}, not {found}"
