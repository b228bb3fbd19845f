"""Refs: what a program holds to talk to an actor.

A ref is a small frozen value.
It names the mailbox, not the process, so it survives restarts; it travels in messages and is equal to its copies.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    NoReturn,
    ParamSpec,
    TypeVar,
    Unpack,
    overload,
)

import attrs

from actors import messages, signals
from actors.errors import ActorError
from actors.exits import ExitReason
from actors.mailbox import ActorMailbox
from actors.messages import known, message_name
from actors.options import ResourceKeywords, Resources, refused
from actors.pending import Pending
from actors.runtime import clients
from actors.runtime.client import Client
from actors.timeout import DEFAULT_TIMEOUT, check_timeout
from actors.wire import reasons

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")


class ActorRef(Generic[A_co]):
    """The address of an actor of class ``A``.

    Messages are methods: ``ref.ask(Counter.add, 1)`` is checked like a call of ``Counter.add`` on a counter.
    """

    __slots__ = ("_class", "_client", "_name", "_number", "_system", "_timeout")

    _class: type[Any] | None
    _client: Client | None
    _name: str
    _number: int
    _system: str
    _timeout: float | None

    def __init__(
        self,
        client: Client | None,
        system: str,
        number: int,
        name: str,
        cls: type[Any] | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> None:
        """Refs come from ``spawn``, ``lookup``, ``self.ref`` and messages."""
        put = functools.partial(object.__setattr__, self)
        put("_client", client)
        put("_system", system)
        put("_number", number)
        put("_name", name)
        put("_class", cls)
        put("_timeout", timeout)

    @property
    def name(self) -> str:
        """The actor's name; for an actor without one its class and number."""
        return self._name

    # Messages.

    @overload
    def ask(
        self,
        method: Callable[Concatenate[A_co, P], Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Pending[R]: ...
    @overload
    def ask(
        self,
        method: Callable[Concatenate[A_co, P], R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Pending[R]: ...
    def ask(
        self, method: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Pending[Any]:
        """Send a message and return its result on the way.

        Delivery: in order with everything else this process sends to the actor, handed to one incarnation at most.
        A queued ask outlives a crash of the actor; one in hand fails.

        Cancellation:
            A message that nobody has taken yet is withdrawn: it is never handled, and is no dead letter.
            One that is in hand is finished; awaiting again gives its result.

        Raises (when awaited):
            AskTimeoutError: No answer within the deadline (``within``, 5 s by default).
            ActorCrashedError: The actor died with the message in hand; the outcome is unknown.
            ActorStoppedError: The actor has ended for good.
            UnhandledMessageError: It has no such method, or the arguments do not fit.
            Exception: What the handler raised, with its traceback as the cause.

        Raises (at the call):
            TypeError: *method* is not a public method of the actor's class.
            NotSerializableError: An argument cannot travel.
            NoSpaceError: The arguments are large, and shared memory has no room for them.
            MailboxFullError: Neither the mailbox nor the outbox of this process has room.
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
            ForkedHandleError: This process was forked from the one that opened the system.
        """
        client = self._client or self._join()
        cls = self._class
        name = known.get((cls, method)) or message_name(cls, method, self)
        return client.ask(
            self._number,
            self._name,
            name,
            method.__qualname__,
            (args, kwargs),
            self._timeout,
        )

    def tell(
        self,
        method: Callable[Concatenate[A_co, P], Any],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Pending[None]:
        """Send a message that nobody answers; await it to wait until the mailbox has accepted it.

        Delivery: see ``ask``. An exception in the handler crashes the actor unless its ``on_error`` says otherwise.

        Raises (when awaited):
            ActorStoppedError: The actor has ended for good; the message is a dead letter.
            AskTimeoutError: The mailbox had no room within the deadline; the message was not sent.

        Raises (at the call):
            As ``ask``.
        """
        client = self._client or self._join()
        name = known.get((self._class, method)) or message_name(
            self._class, method, self
        )
        return client.tell(
            self._number,
            self._name,
            name,
            method.__qualname__,
            (args, kwargs),
            self._timeout,
        )

    def within(self, timeout: float | None) -> ActorRef[A_co]:
        """Return the same ref with another deadline.

        Args:
            timeout: Seconds from the call to the answer, at most ``MAX_TIMEOUT``; None for no deadline.

        Raises:
            OptionError: *timeout* is neither.
        """
        check_timeout(timeout)
        return type(self)(
            self._client, self._system, self._number, self._name, self._class, timeout
        )

    # Life.

    def stop(self) -> Pending[None]:
        """Let the actor handle what is queued before this, then end it for good; settled once that is queued.

        An actor that has ended is no error.

        Raises (at the call):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
            MailboxFullError: Neither the mailbox nor the outbox of this process has room.
        """
        return (self._client or self._join()).stop(self._number, self._name)

    def kill(self) -> Pending[None]:
        """End the actor for good with SIGKILL; settled when its process is gone.

        What is queued becomes dead letters.
        An actor that has ended is no error.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._request("kill")

    def restart(self) -> Pending[None]:
        """Stop the process after the message in hand and start a fresh one with the same queue; settled when it is ready.

        Raises (when awaited):
            ActorStoppedError: The actor has ended for good, or does so instead of starting again.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._request("restart")

    def ended(self) -> Pending[ExitReason]:
        """Return the reason why the actor ended for good, on the way until it has.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._request("ended", lambda facts: reasons.from_json(facts["reason"]))

    # Its process.

    def signal(self, signum: int) -> Pending[None]:
        """Send a signal of the operating system to the actor's process; settled when it is sent.

        What it does there is the process's business: see ``Actor.on_signal``. One that nobody catches ends the process, as a crash.
        SIGTERM lets it finish the message in hand and end.
        While the actor starts, restarts or stops, the signal waits for the next process that is ready; it never reaches another
        process that happens to have got the same number.

        Args:
            signum: As ``signal.SIGHUP``.

        Raises (when awaited):
            ActorStoppedError: The actor has ended for good, or does so before a process of it is ready.
            ActorError: The process has changed its user, and we may not signal it.

        Raises (at the call):
            OptionError: *signum* is no signal, or one that the runtime keeps for itself.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        signals.check_sendable(signum)
        return self._request("signal", signum=int(signum))

    def freeze(self) -> Pending[None]:
        """Stop the actor's process where it is; settled when nothing of it runs any more.

        It is never stopped while it sends, so it holds nobody else up.
        The deadlines of its asks, and of asks to it, do not run until it is thawed; messages to it are accepted as ever.
        It can be killed and restarted, and a fresh incarnation is not frozen; a stop waits in its queue, like any message.
        Freezing a frozen actor does nothing; during a start it waits as ``signal`` does.

        Raises (when awaited):
            ActorStoppedError: The actor has ended for good, or does so before a process of it is frozen.
            ActorError: The process cannot be stopped: it has changed its user, or hangs in the kernel.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._request("freeze")

    def thaw(self) -> Pending[None]:
        """Let the actor's process run again, whoever has stopped it; settled when that is done.

        Raises (when awaited):
            ActorStoppedError: The actor has ended for good.
            ActorError: The process has changed its user, and we may not signal it.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._request("thaw")

    def stack(self) -> Pending[str]:
        """Return what each thread of the actor's process executes, as a traceback, without stopping it.

        The process writes it itself, from a signal: also when it is busy, starts, or hangs in C with the GIL held.
        What coroutines wait for is not in it: they have no stack while they wait.

        Raises (when awaited):
            ActorStoppedError: The actor has ended for good.
            ActorError: The process is frozen, has changed its user, or has not written anything in 5 s: it hangs in the kernel, or its
                threads block the signal.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        return self._request("stack", lambda facts: facts["text"])

    def limit(self, **limits: Unpack[ResourceKeywords]) -> Pending[None]:
        """Change what the kernel allows the actor's process, and those of its next incarnations; settled when it is in force.

        What is not named stays as it is; None lifts a limit. During a start it waits as ``signal`` does.

        Args:
            limits: Of ``Resources``: ``max_memory_bytes``, ``max_cpu_seconds``, ``max_open_files``, ``nice``, ``cpus``.

        Raises (when awaited):
            ActorStoppedError: The actor has ended for good, or does so before a process of it is ready.
            ActorError: The system does not allow it; the text names the limit.

        Raises (at the call):
            OptionError: There is no such limit, none is named, or a value is not acceptable.

        Raises (at the call, or when awaited):
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
        """
        names = [field.name for field in attrs.fields(Resources)]
        if not limits or not limits.keys() <= {*names}:
            raise refused("limit", {**limits}, f"some of {', '.join(names)}")
        checked = Resources(**limits)
        wanted = {name: getattr(checked, name) for name in limits}
        return self._request("limit", wanted=wanted)

    def _request(
        self,
        operation: str,
        convert: Callable[[Any], Any] = lambda _: None,
        **details: object,
    ) -> Pending[Any]:
        client = self._client or self._join()
        facts = {"number": self._number, **details}
        return client.request(operation, facts, convert=convert, about=self._name)

    # Its mailbox.

    def mailbox(self) -> ActorMailbox:
        """Return the actor's mailbox, to look into it, empty it, or save and replay what waits there.

        Raises:
            ActorError: This process is not part of the actor's system.
        """
        client = self._client or self._join()
        return ActorMailbox(client, self._number, self._name)

    # A value.

    def _join(self) -> Client:
        client = clients.by_system.get(self._system)
        if client is None:
            msg = f"{self!r}: this process is not part of the actor's system"
            raise ActorError(msg)
        object.__setattr__(self, "_client", client)
        return client

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ActorRef):
            return NotImplemented
        return self._number == other._number and self._system == other._system

    def __hash__(self) -> int:
        return hash((self._system, self._number))

    def __repr__(self) -> str:
        return f"<ActorRef {self._name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # The class stays here: the receiver may not be able to import it, and does not need it to send.
        return ActorRef, (
            None,
            self._system,
            self._number,
            self._name,
            None,
            self._timeout,
        )

    def __setattr__(self, name: str, value: object) -> NoReturn:
        msg = f"an ActorRef is a frozen value; {name!r} cannot be set"
        raise AttributeError(msg)

    if not TYPE_CHECKING:  # a checker that saw this would believe every misspelt name

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("__"):
                raise AttributeError(name)
            raise AttributeError(messages.no_attribute(self._class, name))
