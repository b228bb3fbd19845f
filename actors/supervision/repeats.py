"""Warnings that may come thousands of times a second: the first is logged, the rest of its second is counted."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import attrs

from actors.supervision.alarms import Alarms
from actors.supervision.events import Events

ALARM = "repeats"  # kind of the alarms that end a second
SECONDS = 1.0
MAX_LISTED = 4  # methods that one line names


@attrs.define(eq=False)
class _Second:
    number: int
    actor: str
    event: str
    unsaid: Counter[str] = attrs.field(factory=Counter)  # by method


class Repeats:
    """What is not logged, by actor."""

    def __init__(self, events: Events, alarms: Alarms) -> None:
        """Log through *events*, with the ends of seconds in *alarms*."""
        self._events = events
        self._alarms = alarms
        self._seconds: dict[int, _Second] = {}

    def warn(
        self,
        event: str,
        number: int,
        actor: str,
        *,
        method: str,
        **facts: Any,  # noqa: ANN401 - see Events.warn
    ) -> None:
        """Log *event* about a message to *method* of *actor*, unless there was one less than a second ago."""
        second = self._seconds.get(number)
        if second is not None:
            second.unsaid[method] += 1
            return
        self._events.warn(event, actor=actor, method=method, **facts)
        self._begin(_Second(number, actor, event))

    def _begin(self, second: _Second) -> None:
        self._seconds[second.number] = second
        self._alarms.set((ALARM, second.number), time.monotonic() + SECONDS)

    def on_alarm(self, number: int) -> None:
        """A second has passed for actor *number*: log how many there were besides."""
        second = self._seconds.pop(number, None)
        if second is not None and second.unsaid:
            kinds = [f"{name} ({n})" for name, n in second.unsaid.most_common()]
            more = ", ".join([*kinds[:MAX_LISTED], *["…"][: len(kinds) > MAX_LISTED]])
            self._events.warn(second.event, actor=second.actor, more=more)
            self._begin(_Second(number, second.actor, second.event))

    def finish(self) -> None:
        """Log what has not been logged yet."""
        for number in list(self._seconds):
            self.on_alarm(number)
        self._seconds.clear()
