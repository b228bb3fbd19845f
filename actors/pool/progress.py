"""The progress of one ``map``: counted as results are given out, and shown from time to time.

No thread does that: the loop that gives out the results looks whether it is time, and so does the event loop where one runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from actors.pool.bars import Display
from actors.pool.meter import Meter

Lives = Mapping[str, int]  # the incarnations that workers are in, by name


class Progress:
    """Counts, and a display.

    Attributes:
        done: Items whose results have been given out.
        failed: Of them, those that have failed.
    """

    def __init__(
        self,
        display: Display,
        meter: Meter,
        lives: Callable[[], Lives],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin now; *lives* tells the incarnations of the workers."""
        self.done = self.failed = 0
        self._display = display
        self._meter = meter
        self._lives = lives
        self._restarts = Restarts(lives())
        self._clock = clock
        self._began = self._looked = clock()
        self._timer: asyncio.TimerHandle | None = None
        display.begin(meter)

    @property
    def period(self) -> float:
        """Seconds between two looks."""
        return self._display.period

    def look(self) -> None:
        """Show how it is, if it is time for that."""
        now = self._clock()
        if now - self._looked >= self.period:
            self._looked = now
            self._measure(now)
            self._display.show(self._meter)

    def tick(self) -> None:
        """Look now, and from time to time from now on, in the running loop."""
        self.look()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.period, self.tick)

    def close(self) -> None:
        """Show how it has ended."""
        if self._timer is not None:
            self._timer.cancel()
        self._measure(self._clock())
        self._display.finish(self._meter)

    def _measure(self, now: float) -> None:
        restarts = self._restarts.seen(self._lives())
        self._meter = self._meter.after(
            now - self._began, self.done, self.failed, restarts
        )


class Restarts:
    """Counts restarts of workers, those of workers that are gone by now as well."""

    def __init__(self, lives: Lives) -> None:
        """Count from *lives* on."""
        self._first = dict(lives)
        self._last = dict(lives)

    def seen(self, lives: Lives) -> int:
        """Return how many there have been up to *lives*."""
        for name, life in lives.items():
            self._first.setdefault(name, 1)  # a new one
            self._last[name] = max(life, self._last.get(name, 1))
        return sum(self._last[name] - first for name, first in self._first.items())
