"""Probes: actors that stand in for another one and write down what is sent to them."""

from __future__ import annotations

import asyncio
import functools
import inspect
import types
from collections.abc import Callable, Coroutine
from typing import (
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    TypeVar,
    Unpack,
    cast,
    overload,
)

import attrs

from actors.actor import Actor, handler_names
from actors.errors import UnhandledMessageError
from actors.exits import ExitReason
from actors.options import OptionKeywords, seconds
from actors.pending import Pending
from actors.ref import ActorRef
from actors.system import ActorSystem
from actors.testing.expectation import WITHIN, Expectation, Steps, Wait

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")

_PATIENCE = 5.0  # seconds that a probe's answer may be late


@attrs.frozen
class Message:
    """What a probe got.

    Attributes:
        method: The name of the method.
        args: As they were sent.
        kwargs: Likewise.
    """

    method: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = attrs.field(factory=dict)

    def __str__(self) -> str:
        words = [
            *map(repr, self.args),
            *(f"{k}={v!r}" for k, v in self.kwargs.items()),
        ]
        return f"{self.method}({', '.join(words)})"


class Recorder(Actor):
    """The actor of a probe; its subclass for one interface has that one's methods."""

    concurrency = 8  # tests that wait, and messages meanwhile
    interface: type[Any]

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._outcomes: dict[str, tuple[object, BaseException | None]] = {}
        self._arrival = asyncio.Event()

    # Hooks of the class that it stands in for do not run.

    def on_start(self) -> None:
        """See ``Actor.on_start``."""

    def on_stop(self, reason: ExitReason) -> None:
        """See ``Actor.on_stop``."""

    def _record(self, message: Message) -> object:
        method = getattr(type(self).interface, message.method)
        try:
            inspect.signature(method).bind(self, *message.args, **message.kwargs)
        except TypeError as exc:
            msg = f"{type(self).interface.__name__}.{message}: {exc}"
            raise UnhandledMessageError(msg) from exc
        self._messages.append(message)
        self._arrival.set()
        self._arrival = asyncio.Event()
        value, error = self._outcomes.get(message.method, (None, None))
        if error is not None:
            raise error
        return value

    async def probe_next(self, index: int, patience: float) -> Message | None:
        """Return message *index*, or None if it has not come in time; an asker that has gone must not take one away."""
        try:
            async with asyncio.timeout(patience):
                while index >= len(self._messages):
                    await self._arrival.wait()
        except TimeoutError:
            return None
        return self._messages[index]

    def probe_rest(self, index: int) -> list[Message]:
        """Return the messages from *index* on."""
        return self._messages[index:]

    def probe_set(
        self, name: str, value: object, error: BaseException | None = None
    ) -> None:
        """Answer method *name* with *value* from now on, or raise *error*."""
        self._outcomes[name] = (value, error)


class Probe(Generic[A]):
    """A stand-in for an actor of class ``A``: a real actor, in a process of its own, whose messages a test looks at.

    It answers every ask with None unless it is told otherwise.
    Messages are taken in the order in which they came, one expectation after the other.
    A message whose arguments do not fit ``A`` ends it, and everything that is asked of it fails.

    Attributes:
        ref: What to give to the code under test.
    """

    def __init__(
        self,
        ref: ActorRef[A],
        interface: type[Any],
        taken: list[Message],
        within: float,
    ) -> None:
        """Probes come from ``spawn``."""
        self.ref = ref
        self._recorder = cast("ActorRef[Recorder]", ref)
        self._interface = interface
        self._taken = taken
        self._within = within

    @classmethod
    def spawn(
        cls,
        system: ActorSystem,
        interface: Callable[..., A],
        **options: Unpack[OptionKeywords],
    ) -> Expectation[Probe[A]]:
        """Start a probe.

        Args:
            system: Where.
            interface: The class that it stands in for: an actor's, or a ``Protocol`` that actors meet.
            options: As for ``ActorSystem.options``; with the ``name`` of the real one, the code under test finds the probe by it.

        Raises:
            TypeError: *interface* is not a class, or its methods have names that the probe needs.
            OptionError: An option is not acceptable.
        """
        if not isinstance(interface, type):
            msg = f"interface={interface!r}: the class of an actor, or a Protocol"
            raise TypeError(msg)
        options.setdefault("restart", "temporary")  # another life would have forgotten
        pending = system.options(**options).spawn(_recorder_of(interface))
        what = f"a probe of {interface.__name__}"

        def steps() -> Steps[Probe[A]]:
            ref: Any = yield Wait(
                pending, options.get("init_timeout", 30.0) + _PATIENCE
            )
            return cls(ref, interface, [], WITHIN)

        return Expectation(steps(), what)

    def __repr__(self) -> str:
        return f"<Probe of {self._interface.__name__}>"

    def within(self, timeout: float) -> Probe[A]:
        """Return the same probe with another limit for its expectations, 5 s by default.

        Raises:
            OptionError: *timeout* is not a number of seconds, 0 or more.
        """
        seconds("timeout", timeout)
        return Probe(self.ref, self._interface, self._taken, timeout)

    # What has come.

    def expect(
        self,
        method: Callable[Concatenate[A, P], Any],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Expectation[Message]:
        """Wait for the next message, which has to be this one.

        Arguments are compared as the method sees them: defaults, and by position or by name, make no difference.

        Raises (when waited for):
            AssertionError: Another one came, or none in time.
        """
        wanted = Message(method.__name__, args, kwargs)
        arguments = _bound(method, wanted)

        def steps() -> Steps[Message]:
            message = yield from self._next(str(wanted))
            is_same = message.method == wanted.method and (
                _bound(method, message) == arguments
            )
            if not is_same:
                msg = f"{self!r}: expected {wanted}, got {message}"
                raise AssertionError(msg)
            return message

        return Expectation(steps(), f"{self!r}: {wanted}")

    def next(self) -> Expectation[Message]:
        """Wait for the next message, whatever it is.

        Raises (when waited for):
            AssertionError: None came in time.
        """
        return Expectation(self._next("a message"), f"{self!r}: the next message")

    def rest(self) -> Expectation[list[Message]]:
        """Take all messages that have come and were not taken yet.

        What this process sent to the probe before has come; what others send may still be on its way.
        """

        def steps() -> Steps[list[Message]]:
            asked = self._ask_rest()
            messages: list[Message] = yield Wait(asked, self._within + _PATIENCE)
            self._taken += messages
            return messages

        return Expectation(steps(), f"{self!r}: the other messages")

    def _next(self, wanted: str) -> Steps[Message]:
        timeout = self._within
        asked = self._recorder.within(timeout + _PATIENCE).ask(
            Recorder.probe_next,
            len(self._taken),
            timeout,
        )
        message: Message | None = yield Wait(asked, timeout + 2 * _PATIENCE)
        if message is None:
            msg = f"{self!r}: expected {wanted}, got nothing within {timeout:g} s"
            raise AssertionError(msg)
        self._taken.append(message)
        return message

    def _ask_rest(self) -> Pending[list[Message]]:
        return self._recorder.ask(Recorder.probe_rest, len(self._taken))

    # What it answers.

    @overload
    def answer(
        self, method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]], value: R, /
    ) -> Pending[None]: ...
    @overload
    def answer(
        self, method: Callable[Concatenate[A, P], R], value: R, /
    ) -> Pending[None]: ...
    def answer(self, method: Callable[..., Any], value: Any, /) -> Pending[None]:
        """Answer asks of *method* with *value* from now on; settled when that is so."""
        return self._recorder.ask(Recorder.probe_set, method.__name__, value)

    def fail(
        self, method: Callable[Concatenate[A, P], Any], error: Exception, /
    ) -> Pending[None]:
        """Raise *error* for asks of *method* from now on; settled when that is so. A tell of it ends the probe."""
        return self._recorder.ask(Recorder.probe_set, method.__name__, None, error)


@functools.lru_cache(maxsize=256)
def _recorder_of(interface: type[Any]) -> type[Recorder]:
    """Return the class of probes of *interface*: also a subclass of it, so that ``lookup`` takes it for one."""
    names = set(handler_names(interface))
    if taken := names & set(handler_names(Recorder)):
        msg = f"interface={interface.__name__}: a probe needs the names {', '.join(sorted(taken))} itself"
        raise TypeError(msg)
    body = {"interface": interface, "__module__": __name__}
    body |= {name: _recording(name) for name in names}
    return types.new_class(
        f"ProbeOf{interface.__name__}",
        (Recorder, interface),
        exec_body=lambda namespace: namespace.update(body),
    )


def _recording(name: str) -> Callable[..., object]:
    def record(self: Recorder, *args: object, **kwargs: object) -> object:
        return self._record(Message(name, args, kwargs))

    return record


def _bound(method: Callable[..., Any], message: Message) -> dict[str, Any]:
    """Return the arguments of *message* as *method* sees them."""
    bound = inspect.signature(method).bind(None, *message.args, **message.kwargs)
    bound.apply_defaults()
    return bound.arguments
