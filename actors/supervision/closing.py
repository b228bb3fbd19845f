"""The end of a system: nothing is started any more, what is queued is finished if there is time, and everybody is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from actors.runtime import reports
from actors.runtime.client import MAIN
from actors.supervision import delay
from actors.supervision.alarms import Alarms
from actors.supervision.child import Asker, Handle
from actors.supervision.events import Events
from actors.supervision.lifecycle import Lifecycle
from actors.wire.frame import Kind

QUIET_SECONDS = 0.002  # between two looks whether everybody has finished
MAX_COUNTS_BYTES = 512  # of names in the answer to a close
ORPHAN_SECONDS = 1.5  # for everything, once the main program has died


class Closing:
    """Ends one system."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        events: Events,
        alarms: Alarms,
        on_begin: Callable[[], None],
    ) -> None:
        """End the children of *lifecycle*; *on_begin* is called when nothing may be started any more."""
        self.has_begun = False  # nothing is started any more
        self.is_stopping = False  # and everybody is being stopped
        self.was_asked_for = False
        self._lifecycle = lifecycle
        self._events = events
        self._alarms = alarms
        self._on_begin = on_begin
        self._askers: list[Asker] = []
        self._handled = -1
        self.requests: dict[str, Handle] = {
            "close": self._on_close,
            "hurry": self._on_hurry,
        }
        self.alarms: dict[str, Callable[[int], None]] = {
            "quiet": lambda _: self._stop_when_quiet(),
            "drained": lambda _: self.stop_all(),
            "orphans": lambda _: self._lifecycle.kill_all("orphan"),
            delay.ALARM: lambda _: self._explain_delay(),
        }

    def _on_close(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        self.was_asked_for = True
        self._askers.append(asker)
        self._alarms.set((delay.ALARM, 0), time.monotonic() + delay.SECONDS)
        self._begin()
        self._lifecycle.settling.take_dropped()
        if facts["drain"] and not self.is_stopping:
            self._alarms.set(("drained", 0), time.monotonic() + facts["drain"])
            self._stop_when_quiet()
        else:
            self.stop_all()

    def _on_hurry(
        self, _asker: Asker, sender: int, _facts: dict[str, Any], _payload: bytes
    ) -> None:
        if sender == MAIN:  # a signal to another program is not for the system
            self._lifecycle.kill_all("second_signal")

    def _explain_delay(self) -> None:
        busy = delay.describe(self._lifecycle.census.actors())
        if busy:
            self._events.warn("closing_takes_long", waits_for=busy, text=delay.HINT)

    def _stop_when_quiet(self) -> None:
        """Stop everybody once two looks in a row find nothing to do and nothing done in between."""
        is_quiet = self.is_everybody_quiet()
        estates = [child.estate for child in self._lifecycle.census.actors()]
        handled = sum(estate.handled() for estate in estates) if is_quiet else -1
        if is_quiet and handled == self._handled:
            self.stop_all()
            return
        self._handled = handled
        self._alarms.set(
            ("quiet", 0), time.monotonic() + (0 if is_quiet else QUIET_SECONDS)
        )

    def is_everybody_quiet(self) -> bool:
        """Return whether nobody has anything to do."""
        # First where messages come from: what is taken meanwhile is in a slot then.
        return self._lifecycle.sharing.is_quiet() and all(
            child.estate.is_quiet() for child in self._lifecycle.census.actors()
        )

    def stop_all(self) -> None:
        """Stop everybody, and start nobody any more."""
        self._begin()
        self.is_stopping = True
        self._alarms.clear(("quiet", 0))
        self._alarms.clear(("drained", 0))
        self._lifecycle.stop_all()

    def stop_orphans(self) -> None:
        """Stop everybody soon: the program that owns the system has died."""
        self.stop_all()
        self._alarms.set(("orphans", 0), time.monotonic() + ORPHAN_SECONDS)

    def _begin(self) -> None:
        self.has_begun = True
        self._on_begin()

    def finish(self, show: Callable[[], None]) -> None:
        """Everything has ended: *show* what has been said of it, and tell those who asked for it what has been dropped."""
        dropped = self._lifecycle.settling.take_dropped()
        if dropped:
            self._events.warn("messages_dropped", counts=dropped)
        show()
        for asker in self._askers:
            told = {"dropped": shortened(dropped)}
            self._lifecycle.askers.answer(asker, Kind.ANSWER, told)


def shortened(counts: dict[str, int]) -> dict[str, int]:
    """Return *counts* for the answer to a close, with those that it has no room for as ``others``.

    A larger answer would have to be a file, and the directory is gone by then.
    """
    kept: dict[str, int] = {}
    room = MAX_COUNTS_BYTES
    for name, count in counts.items():
        room -= len(reports.to_bytes({name: count}))
        key = name if room >= 0 else "others"
        kept[key] = kept.get(key, 0) + count
    return kept
