"""Life-cycle events and dead letters, as a program listens to them."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import Any, Self

import attrs

from actors import exits
from actors.errors import SystemClosedError
from actors.exits import ExitReason
from actors.pending import DONE, Pending, failed, settled
from actors.runtime.client import Client
from actors.runtime.waiting import refuse_in_loop

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
            reason=None if reason is None else exits.from_json(reason),
            time=facts.pop("time", 0.0),
            facts=facts,
        )


class Events:
    """The events of a system from now on: iterate over it, with ``async for`` or ``for``, or ask for the ``next``.

    An iteration ends when the system has been closed, or this has; it raises ``SystemFailedError`` when the system has ended by itself.
    An ``anext`` that is cancelled, as by ``asyncio.wait_for``, loses no event.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting: deque[Event] = deque()
        self._dropped = 0
        self._is_closed = False
        self._takers: deque[Pending[Event]] = deque()
        # Events come in whichever thread looks at the lane. Reentrant: that may be a signal handler.
        self._lock = threading.RLock()
        client.subscription.listen(self._on_event)

    def _on_event(self, record: dict[str, Any]) -> None:
        event = Event.from_json(record)
        with self._lock:
            if self._is_taken(event):
                return
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(event)
            else:
                self._dropped += 1

    def _is_taken(self, event: Event) -> bool:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.resolve(event)
                return True
        return False

    def next(self) -> Pending[Event]:
        """Return the next event, on the way until there is one.

        Raises (when awaited):
            SystemClosedError: The system was closed, or this was, and everything that had come is taken.
            SystemFailedError: It has ended by itself.

        Cancellation:
            Only the waiting ends: the next event still goes to this ``Pending``, so wait for the same one again.
        """
        with self._lock:
            if self._waiting:
                return settled(self._next_waiting())
            if self._is_closed:
                return failed(_closed())
            taker: Pending[Event] = Pending(self._client)
            self._takers.append(taker)
        self._client.end_with_system(taker)
        return taker

    def _next_waiting(self) -> Event:
        event = self._waiting.popleft()
        if self._dropped:
            self._waiting.append(
                Event("events_dropped", facts={"count": self._dropped})
            )
            self._dropped = 0
        return event

    def _give_back(self, taker: Pending[Event]) -> None:
        """Nobody waits for *taker* any more: its event, if it has one, is the next one's."""
        with self._lock:
            if not taker.done():
                taker.fail(TimeoutError("nobody waits for this event"))
                with contextlib.suppress(ValueError):  # the system ends
                    self._takers.remove(taker)
            elif taker.state == DONE and not self._is_taken(taker.value):
                self._waiting.appendleft(taker.value)

    def close(self) -> None:
        """Listen no more; what has come already can still be taken."""
        self._client.subscription.unlisten(self._on_event)
        with self._lock:
            self._is_closed = True
            takers, self._takers = self._takers, deque()
        for taker in takers:
            taker.fail(_closed())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        taker = self.next()
        try:
            return await taker
        except SystemClosedError:
            raise StopAsyncIteration from None
        except BaseException:  # cancelled, by a deadline for example
            self._give_back(taker)
            raise

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        if not self._waiting:
            refuse_in_loop("'for'", "use 'async for'")
        taker = self.next()
        try:
            return taker.result()
        except SystemClosedError:
            raise StopIteration from None
        except BaseException:  # Ctrl-C
            self._give_back(taker)
            raise


def _closed() -> SystemClosedError:
    return SystemClosedError("these events were closed")
