"""Every error a user of the runtime can meet.

The class says whose fault it was and whether trying again makes sense; the attributes carry the facts; the text is one line with
the values in it.
Errors travel in messages: each keeps its facts in ``args``, so that pickling needs no code of its own.
"""

from __future__ import annotations

from concurrent.futures import BrokenExecutor
from typing import TypeVar

import attrs

from actors.exits import ExitReason
from actors.tracebacks import of_dump

E = TypeVar("E", bound=Exception)


class ActorError(Exception):
    """Base of all errors of this package."""


class OptionError(ActorError, ValueError):
    """An option was refused; the text names it and says what is accepted."""


class NotSerializableError(ActorError, TypeError):
    """An object cannot travel in a message; the text names the path to the bad part."""


class DecodeError(ActorError):
    """Bytes that arrived could not be turned into objects; the cause is chained."""


class UnhandledMessageError(ActorError, TypeError):
    """The actor has no such method, or the arguments do not fit it; no user code ran."""


class RuntimeDirectoryError(ActorError):
    """The directory that holds a system's files is not one we may use."""


class ActorNotFoundError(ActorError, LookupError):
    """No actor of this name runs in the system, or it is of another class."""


class NameTakenError(ActorError):
    """An actor of this name exists already; a name is bound until its actor has ended for good."""


class MailboxLostError(ActorError):
    """The mailbox of an actor was damaged and has been replaced: whether the message was handled is not known.

    Attributes:
        actor: Who had been asked.
    """

    def __init__(self, actor: str, method: str) -> None:
        super().__init__(actor, method)
        self.actor = actor
        self.method = method

    def __str__(self) -> str:
        return (
            f"{self.method}: the mailbox of {self.actor} was damaged and has been replaced; "
            "whether the message was handled is not known"
        )


class MessagePurgedError(ActorError):
    """The message was purged from the mailbox of its actor and never handled, so asking again is safe."""


class MailboxFullError(ActorError):
    """Neither the mailbox nor this process's outbox had room; the message was not sent, so sending it again later is safe."""


class MessageTooLargeError(ActorError, ValueError):
    """A message, or a result, is larger than the system takes; it was not sent.

    Attributes:
        size: What of it would have to be copied, in bytes; memory that is shared already does not count.
        limit: The largest that is taken.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(size, limit)
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"{self.size} bytes in one message: the system takes {self.limit}; "
            "raise it with ActorSystem(max_message_bytes=…), or send a part at a time"
        )


class SystemClosedError(ActorError):
    """The system was closed, or is being closed, by the program that owns it; or this program has left it."""


class AttachError(ActorError):
    """A running system could not be joined: it ended meanwhile, does not answer, or has no room for another program."""


class SystemNotFoundError(AttachError, LookupError):
    """No system of this name runs for this user, or several do; the text names those that run."""


class ForkedHandleError(ActorError):
    """A handle was used in a process that was forked from the one that opened it."""


class SpawnError(ActorError):
    """The actor did not become ready.

    Attributes:
        name: The actor's name, or its class's.
        reason: Why the start failed; for an exception in ``__init__`` or ``on_start`` it carries the traceback.
    """

    def __init__(self, name: str, reason: ExitReason) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        # The reason of a failed start says that it is one, which would say it twice.
        is_named = (
            self.reason.kind == "failed_to_start" and self.reason.inner is not None
        )
        reason = (self.reason.inner if is_named else None) or self.reason
        return f"{self.name} did not start: {reason}{_traceback_of(reason)}"


class ActorCrashedError(ActorError):
    """The actor died with this message in hand: its outcome is unknown.

    Attributes:
        name: The actor that died.
        method: The message, as ``Class.method``.
        attempt: How often the message had been handed to an incarnation, 1 for the first time.
        reason: How the process ended.
        begun: How many of several items in the message (``Pool.map``) had been begun; 0 for any other.
    """

    def __init__(
        self, name: str, method: str, attempt: int, reason: ExitReason, begun: int = 0
    ) -> None:
        super().__init__(name, method, attempt, reason, begun)
        self.name = name
        self.method = method
        self.attempt = attempt
        self.reason = reason
        self.begun = begun

    def __str__(self) -> str:
        # The reason names the message as well, which would say it twice.
        reason = attrs.evolve(self.reason, during=None)
        return f"{self.name} died in {self.method} (attempt {self.attempt}): {reason}{_traceback_of(self.reason)}"


class ActorStoppedError(ActorError):
    """The actor has ended for good; the message was not handled.

    Attributes:
        name: The actor.
        reason: How it ended; its kind is ``noproc`` when nothing is known of it any more.
    """

    def __init__(self, name: str, reason: ExitReason) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name} is gone: {self.reason}"


class AskTimeoutError(ActorError, TimeoutError):
    """No reply came within the deadline, and the message may still be handled; or there was no room for it in time.

    Attributes:
        name: The actor that was asked.
        method: The message, as ``Class.method``.
        timeout: The deadline in seconds, as given to ``within``.
        was_sent: Whether the mailbox had accepted it; if not, sending it again is safe.
        where: What it was waiting for just then, as far as could be seen; empty where nothing could.
    """

    def __init__(
        self,
        name: str,
        method: str,
        timeout: float,
        was_sent: bool = True,  # noqa: FBT001, FBT002 - errors are rebuilt by position
        where: str = "",
    ) -> None:
        super().__init__(name, method, timeout, was_sent, where)
        self.name = name
        self.method = method
        self.timeout = timeout
        self.was_sent = was_sent
        self.where = where

    def __str__(self) -> str:
        where = f": {self.where}" if self.where else ""
        if not self.timeout:
            where = ": the deadline had passed when it was sent"
        if self.was_sent:
            return f"{self.name} did not answer {self.method} within {self.timeout:g} s{where}"
        return f"{self.name} had no room for {self.method} within {self.timeout:g} s{where}; it was not sent"


class DeadlockError(ActorError):
    """The answer could never come: the actors of a cycle wait for each other.

    Only a deadline could have ended it; each of them handles one message at a time, or has the one in question in hand.
    The message that closed the cycle was withdrawn.

    Attributes:
        name: The actor that was asked last.
        method: What it was asked, as ``Class.method``.
        cycle: The actors with their handlers, each waiting for the next and the last for the first.
    """

    def __init__(self, name: str, method: str, cycle: tuple[str, ...]) -> None:
        super().__init__(name, method, cycle)
        self.name = name
        self.method = method
        self.cycle = cycle

    def __str__(self) -> str:
        path = " waits for ".join((*self.cycle, self.cycle[0]))
        return f"{self.name} cannot answer {self.method}: {path}"


class RemoteError(ActorError):
    """A handler raised: the traceback of the actor's process, as text.

    It is the ``__cause__`` of the original exception where that could be rebuilt here, and is raised itself where it could not.

    Attributes:
        exc_type: Name of the exception's class.
        message: The exception's text.
        traceback: The formatted traceback.
    """

    def __init__(self, exc_type: str, message: str, traceback: str) -> None:
        super().__init__(exc_type, message, traceback)
        self.exc_type = exc_type
        self.message = message
        self.traceback = traceback

    def __str__(self) -> str:
        text = f"{self.exc_type}: {self.message}" if self.message else self.exc_type
        return f"{text}\n\n{self.traceback.rstrip()}" if self.traceback else text


class ItemError(ActorError):
    """An item of ``Pool.map`` has failed; what it failed with is the cause.

    Attributes:
        item: The item.
        error: What its handler raised, or why there is no result.
    """

    def __init__(self, item: object, error: Exception) -> None:
        super().__init__(item, error)
        self.item = item
        self.error = error

    def __str__(self) -> str:
        item = repr(self.item)
        shown = item if len(item) <= _MAX_ITEM else f"{item[:_MAX_ITEM]}…"
        return f"item {shown}: {type(self.error).__name__}: {self.error}"


_MAX_ITEM = 200  # characters


class ChildError(ActorError):
    """A supervisor's child cannot be started, stopped or forgotten as things are.

    Attributes:
        child_id: Which.
        state: ``already_started``, ``already_present``, ``running``, ``restarting``, ``not_found``, ``pool`` or ``shutting_down``.
    """

    def __init__(self, child_id: str, state: str) -> None:
        super().__init__(child_id, state)
        self.child_id = child_id
        self.state = state

    def __str__(self) -> str:
        return f"child {self.child_id!r}: {_CHILD_STATES.get(self.state, self.state)}"


_CHILD_STATES = {
    "already_started": "the supervisor has a child of this id, which runs",
    "already_present": "the supervisor has a child of this id, which is down; restart it, or delete it first",
    "running": "it runs; stop it first",
    "restarting": "it restarts by itself; stop it first",
    "not_found": "the supervisor has no child of this id",
    "pool": "the members of a pool have no ids; use their refs",
    "shutting_down": "the supervisor is ending",
}


class CallTimeoutError(ActorError, TimeoutError):
    """A call of an executor was not over within its deadline, and has been ended: it does not run any more.

    Attributes:
        function: What was called.
        timeout: The deadline in seconds, as given to ``within``.
        where: What it was doing just then.
    """

    def __init__(self, function: str, timeout: float, where: str) -> None:
        super().__init__(function, timeout, where)
        self.function = function
        self.timeout = timeout
        self.where = where

    def __str__(self) -> str:
        return f"{self.function} was not over within {self.timeout:g} s and has been ended: {self.where}"


class ExecutorBrokenError(ActorError, BrokenExecutor):
    """No worker of an executor is left, and none can be started: its initializer fails, say. The cause is chained.

    The call was not executed.

    Attributes:
        reason: Why the last one did not start.
    """

    def __init__(self, reason: ExitReason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        inner = self.reason.inner or self.reason
        return f"the executor has no worker left, and a new one did not start: {inner}{_traceback_of(inner)}"


class SystemFailedError(ActorError):
    """The system ended by itself: its root supervisor died or gave up.

    Attributes:
        reason: Why.
    """

    def __init__(self, reason: ExitReason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the actor system has ended: {self.reason}"


def again(error: E) -> E:
    """Return the same error for somebody else who waited: a raise leaves its traceback in what is raised."""
    return type(error)(*error.args)


def _traceback_of(reason: ExitReason) -> str:
    """Return the first traceback of the chain, or stack dump of a process that was killed, for the text of an error."""
    link: ExitReason | None = reason
    while link is not None:
        text = link.traceback or of_dump(link.dump or "")
        if text:
            return f"\n\n{text.rstrip()}"
        link = link.inner
    return ""
