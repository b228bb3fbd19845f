"""Warnings that may come thousands of times a second: the first is logged, the rest of its second is counted."""

from __future__ import annotations

import time
from typing import Any

import attrs

from actors.supervision.alarms import Alarms
from actors.supervision.child import Child
from actors.supervision.events import Events

ALARM = "repeats"  # kind of the alarms that end a second
SECONDS = 1.0


@attrs.define(eq=False)
class _Second:
    child: Child
    event: str
    unsaid: int = 0


class Repeats:
    """What is not logged, by actor."""

    def __init__(self, events: Events, alarms: Alarms) -> None:
        """Log through *events*, with the ends of seconds in *alarms*."""
        self._events = events
        self._alarms = alarms
        self._seconds: dict[int, _Second] = {}

    def warn(self, event: str, child: Child, **facts: Any) -> None:  # noqa: ANN401 - see Events.warn
        """Log *event* about *child*, unless that was done less than a second ago."""
        second = self._seconds.get(child.number)
        if second is not None:
            second.unsaid += 1
            return
        self._events.warn(event, child, **facts)
        self._begin(_Second(child, event))

    def _begin(self, second: _Second) -> None:
        self._seconds[second.child.number] = second
        self._alarms.set((ALARM, second.child.number), time.monotonic() + SECONDS)

    def on_alarm(self, number: int) -> None:
        """A second has passed for actor *number*: log how many there were besides."""
        second = self._seconds.pop(number, None)
        if second is not None and second.unsaid:
            self._events.warn(second.event, second.child, more=second.unsaid)
            self._begin(_Second(second.child, second.event))

    def finish(self) -> None:
        """Log what has not been logged yet."""
        for number in list(self._seconds):
            self.on_alarm(number)
        self._seconds.clear()
