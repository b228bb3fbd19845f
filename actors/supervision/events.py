"""What a supervisor tells the world: life-cycle events and dead letters, to subscribers and to the log.

A subscriber has a window of events it has not acknowledged; what comes faster waits here, bounded, and what does not fit is counted
in an ``events_dropped`` event.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Protocol

import attrs
import structlog

from actors.exits import ExitReason
from actors.runtime import reports
from actors.runtime.outgoing import GoneError, Outgoing
from actors.runtime.subscription import NOTICE
from actors.wire import reasons
from actors.wire.frame import Kind
from transports.errors import NoSpaceError

WINDOW = 8  # unacknowledged events: their frames must fit the share of the lane that no credit covers
MAX_WAITING = 10_000
DROPPED = "events_dropped"
CUT_BYTES = 400  # of a reason that has no room in shared memory


@attrs.define(eq=False)
class Subscriber:
    """One process that listens."""

    hears_all: bool = False  # and not only of those that it watches
    window: int = WINDOW
    waiting: deque[dict[str, Any]] = attrs.field(factory=deque)
    dropped: int = 0

    def add_dropped(self) -> None:
        """Say how many have been dropped where they are missing, as soon as there is a place for that."""
        if self.dropped and len(self.waiting) < MAX_WAITING:
            record = {"event": DROPPED, "count": self.dropped}
            self.waiting.append(record)
            self.dropped = 0


class Subject(Protocol):
    """Whom an event is about."""

    @property
    def number(self) -> int:
        """Of it in its system."""
        ...

    @property
    def label(self) -> str:
        """The name, or the class and number."""
        ...

    @property
    def incarnation(self) -> int:
        """Which life of it."""
        ...

    @property
    def pid(self) -> int:
        """Of its process."""
        ...

    @property
    def is_public(self) -> bool:
        """Whether subscribers are told of it."""
        ...


class Events:
    """The publisher of one supervisor."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._subscribers: dict[int, Subscriber] = {}
        self._log = structlog.get_logger()

    def subscribe(self, number: int) -> None:
        """Send events to process *number* from now on."""
        self._subscribers.setdefault(number, Subscriber()).hears_all = True

    def notify(
        self, number: int, watch: int, facts: dict[str, Any], reason: ExitReason | None
    ) -> None:
        """Tell process *number* of one that it watches, behind the events that it has been sent; this waits for as long as it takes."""
        record = {"event": NOTICE, "watch": watch, **facts}
        if reason is not None:
            record["reason"] = reasons.to_json(reason)
        subscriber = self._subscribers.setdefault(number, Subscriber())
        subscriber.waiting.append(record)
        self._send(number, subscriber)

    def unsubscribe(self, number: int) -> None:
        """Send no more."""
        self._subscribers.pop(number, None)

    def acknowledge(self, number: int, count: int) -> None:
        """Open the window of *number* by *count* events."""
        subscriber = self._subscribers.get(number)
        if subscriber is not None:
            subscriber.window += count
            self._send(number, subscriber)

    def publish(
        self, event: str, child: Subject | None = None, **facts: object
    ) -> None:
        """Tell the subscribers."""
        if not self._subscribers or (child is not None and not child.is_public):
            return
        record = {
            "event": event,
            "monotonic": time.monotonic(),
            "time": _wall_clock(),
            **facts,
        }
        if child is not None:
            record |= {
                "actor": child.label,
                "number": child.number,
                "incarnation": child.incarnation,
                "pid": child.pid,
            }
        for number, subscriber in list(self._subscribers.items()):
            if not subscriber.hears_all:
                continue
            if len(subscriber.waiting) < MAX_WAITING:
                subscriber.waiting.append(record)
            else:
                subscriber.dropped += 1
            self._send(number, subscriber)

    def _send(self, number: int, subscriber: Subscriber) -> None:
        try:
            while subscriber.window and (subscriber.waiting or subscriber.dropped):
                subscriber.add_dropped()
                record = subscriber.waiting.popleft()
                try:
                    self._put(number, record)
                    subscriber.window -= 1
                except (NoSpaceError, OSError):  # a large one, and no room for it
                    if record["event"] == DROPPED:
                        subscriber.dropped += record["count"]
                        return
                    subscriber.dropped += 1
        except GoneError:
            self.unsubscribe(number)

    def _put(self, number: int, record: dict[str, Any]) -> None:
        try:
            self._outgoing.notify(number, Kind.EVENT, reports.to_bytes(record))
        except (NoSpaceError, OSError):
            if record["event"] != NOTICE or "reason" not in record:
                raise
            # Nothing that would be a file: of all that there is to be said, that it has ended is not lost.
            reason = reasons.from_json(record["reason"])
            told = reasons.to_json_within(reason, CUT_BYTES)
            cut = reports.to_bytes({**record, "reason": told})
            self._outgoing.notify(number, Kind.EVENT, cut)

    # The log: what a person has to know, one line each.

    def warn(self, event: str, child: Subject | None = None, **facts: object) -> None:
        """Log something a person may have to act on."""
        if child is not None:
            facts = {"actor": child.label, "incarnation": child.incarnation, **facts}
        self._log.warning(event, **facts)

    def info(self, event: str, child: Subject, **facts: object) -> None:
        """Log how it went on."""
        self._log.info(event, actor=child.label, incarnation=child.incarnation, **facts)


def _wall_clock() -> float:
    return time.time()  # noqa: TID251 - for people to read; nothing is decided by it
