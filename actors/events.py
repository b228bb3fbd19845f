"""Life-cycle events and dead letters, as a program listens to them."""

from __future__ import annotations

from typing import Any

import attrs

from actors.exits import ExitReason
from actors.feed import Feed
from actors.runtime.client import Client
from actors.wire import reasons

MAX_WAITING = 10_000  # events kept for a listener that does not take them


@attrs.frozen
class Event:
    """Something that happened in the system.

    Attributes:
        kind: ``child_starting``, ``child_ready``, ``child_exit``, ``child_restarting``, ``child_stopped``, ``giving_up``,
            ``dead_letter``, ``handler_failed``, ``watchdog``, ``stray``, ``unkillable``, ``program_attached``, ``program_left``, or ``events_dropped`` when the listener was too slow.
        actor: The actor's name, None where it is not about one.
        incarnation: Its incarnation, 0 where it is not about one.
        pid: Its process, for information only.
        reason: Of a ``child_exit``, ``child_stopped`` or ``giving_up``.
        time: Wall-clock time in seconds, for people to read.
        facts: What else there is to say of this kind; ``method`` and ``cause`` of a dead letter, for example.
    """

    kind: str
    actor: str | None = None
    incarnation: int = 0
    pid: int = 0
    reason: ExitReason | None = None
    time: float = 0.0
    facts: dict[str, Any] = attrs.field(factory=dict, eq=False)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Event:
        """Read what a supervisor sent."""
        facts = dict(record)
        reason = facts.pop("reason", None)
        return cls(
            kind=facts.pop("event"),
            actor=facts.pop("actor", None),
            incarnation=facts.pop("incarnation", 0),
            pid=facts.pop("pid", 0),
            reason=None if reason is None else reasons.from_json(reason),
            time=facts.pop("time", 0.0),
            facts=facts,
        )


class Events(Feed[Event]):
    """The events of a system from now on: iterate over it, with ``async for`` or ``for``, or ask for the ``next``.

    An iteration ends when the system has been closed, or this has; it raises ``SystemFailedError`` when the system has ended by itself.
    An ``anext`` that is cancelled, as by ``asyncio.wait_for``, loses no event.
    """

    def __init__(self, client: Client) -> None:
        super().__init__(client, "these events were closed")
        self._dropped = 0
        client.subscription.listen(self._on_event)

    def _on_event(self, record: dict[str, Any]) -> None:
        event = Event.from_json(record)
        with self._lock:
            if len(self._waiting) < MAX_WAITING:
                self._add(event)
            else:
                self._dropped += 1

    def _take(self) -> Event:
        event = super()._take()
        if self._dropped:
            self._waiting.append(
                Event("events_dropped", facts={"count": self._dropped})
            )
            self._dropped = 0
        return event

    def close(self) -> None:
        """Listen no more; what has come already can still be taken."""
        self._client.subscription.unlisten(self._on_event)
        self._end()
