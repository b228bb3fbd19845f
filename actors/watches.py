"""What an actor hears of another that it watches, or is linked with.

Each comes as a message of its own, in the watcher's mailbox, after everything that the dead process had sent there.
It belongs to the incarnation that asked for it: the next one of the watcher hears nothing of it, and asks again if it wants to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

import attrs

from actors.exits import ExitReason
from actors.ref import ActorRef


@attrs.frozen
class Down:
    """A process of a watched actor has died, and nothing is left of it.

    Attributes:
        watch: The watch that this is for, as ``Watch.id``.
        ref: The actor.
        incarnation: Which of its processes.
        reason: What it died of, with the evidence.
        will_restart: Whether another process follows; None where a supervisor that has ended decides that no more, but one above it.
        delay: Seconds until it is started, not counting the time for that, and for others that have to stop first.
    """

    watch: int
    ref: ActorRef[Any]
    incarnation: int
    reason: ExitReason
    will_restart: bool | None
    delay: float


@attrs.frozen
class Up:
    """A process of a watched actor is ready.

    Attributes:
        watch: The watch that this is for, as ``Watch.id``.
        ref: The actor.
        incarnation: Which of its processes.
    """

    watch: int
    ref: ActorRef[Any]
    incarnation: int


@attrs.frozen
class Terminated:
    """A watched actor has ended for good, or had ended when it was to be watched; the watch is over.

    Attributes:
        watch: The watch that this is for, as ``Watch.id``.
        ref: The actor.
        incarnation: Its last process; 0 where that is not known any more.
        reason: Why it ended; of the kind ``noproc`` where that is not known any more.
    """

    watch: int
    ref: ActorRef[Any]
    incarnation: int
    reason: ExitReason


@attrs.frozen
class Exit:
    """A linked actor has died, and this one goes on.

    Attributes:
        link: The link that this is for, as ``Link.id``.
        ref: The actor.
        incarnation: Which of its processes; 0 where there was none to be linked with.
        reason: What it died of; of the kind ``noproc`` where there was none to be linked with.
    """

    link: int
    ref: ActorRef[Any]
    incarnation: int
    reason: ExitReason


Notice: TypeAlias = Down | Up | Terminated


@attrs.frozen
class Watch:
    """A watch that can be called off.

    Attributes:
        id: Stands in what is heard because of it.
        ref: Who is watched.
    """

    id: int
    ref: ActorRef[Any]
    _cancel: Callable[[int], None] = attrs.field(repr=False, eq=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError(_unsent("Watch"))

    def cancel(self) -> None:
        """Call it off; what has been sent because of it, and was not handled yet, is dropped."""
        self._cancel(self.id)


@attrs.frozen
class Link:
    """A link that can be undone.

    Attributes:
        id: Stands in what is heard because of it.
        ref: Who is linked.
    """

    id: int
    ref: ActorRef[Any]
    _cancel: Callable[[int], None] = attrs.field(repr=False, eq=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError(_unsent("Link"))

    def cancel(self) -> None:
        """Undo it, on both sides."""
        self._cancel(self.id)


def _unsent(what: str) -> str:
    return f"a {what} cannot be sent: it is the actor's own; send its ref, or its id"
