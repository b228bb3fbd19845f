"""The life-cycle events that the root supervisor sends to this process, and who in it hears them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

from actors.pending import Pending

NOTICE = "notice"  # the event that is for one watch alone
EVENTS_PER_ACKNOWLEDGEMENT = 4  # the root sends on as it hears that some were read

Listener = Callable[[dict[str, Any]], None]


class Line(Protocol):
    """The way to the root supervisor."""

    def check(self) -> None:
        """Raise where the system has ended."""

    def request(self, operation: str, facts: dict[str, Any]) -> Pending[Any]:
        """Ask it for something."""
        ...

    def notify_root(self, operation: str, facts: dict[str, Any]) -> None:
        """Tell it something that it does not answer."""


class Subscription:
    """That of one process, which begins with its first listener; what it watches is told on the same way."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._listeners: list[Listener] = []
        self._unacknowledged = 0
        self.watches: dict[int, Listener] = {}  # what is called, by watch

    def listen(self, listener: Listener) -> None:
        """Call *listener* with every event from now on.

        Raises:
            SystemClosedError: The system was closed.
            SystemFailedError: It has ended by itself.
            ForkedHandleError: This process was forked from the one that opened it.
        """
        self._line.check()
        if not self._listeners:
            # Not waited for: whatever is asked after it is done after it.
            _ = self._line.request("subscribe", {})
        self._listeners.append(listener)

    def unlisten(self, listener: Listener) -> None:
        """Call it no more."""
        with contextlib.suppress(ValueError):
            self._listeners.remove(listener)

    def receive(self, record: dict[str, Any]) -> None:
        """Hand an event to everybody who listens."""
        if record["event"] == NOTICE:
            watch = self.watches.get(record["watch"])
            if watch is not None:  # else it was called off
                watch(record)
        else:
            for listener in list(self._listeners):
                listener(record)
        self._unacknowledged += 1
        if self._unacknowledged == EVENTS_PER_ACKNOWLEDGEMENT:
            self._unacknowledged = 0
            count = EVENTS_PER_ACKNOWLEDGEMENT
            self._line.notify_root("acknowledge", {"count": count})
