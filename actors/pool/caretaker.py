"""A thread that takes in answers, and does what is due, where the program itself neither waits for anything nor runs an event loop.

Only pools that change by themselves have one: somebody has to see that a worker is worn, or that messages wait.
It looks four times a second, and leaves everything to whoever waits at that moment.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from actors.pending import Pending
from actors.pool.crew import Crew
from transports.errors import ClosedError

PERIOD = 0.25  # seconds, as Autoscale.interval by default


class Caretaker:
    """Looks after the pool of one crew until it is stopped, or the system ends."""

    def __init__(self, crew: Crew[Any]) -> None:
        """Begin, unless an actor has made the pool: its loop runs whenever it has nothing to do."""
        self._crew = crew
        self._client = crew.client
        self._is_over = threading.Event()
        if self._client.waits is None:
            end: Pending[None] = Pending(self._client)
            end.when_settled(self._is_over.set)
            self._client.ending.include(end)
            threading.Thread(
                target=self._run, name=f"actors.Pool {crew.name}", daemon=True
            ).start()

    def _run(self) -> None:
        # Closed by another thread in the middle of it.
        with contextlib.suppress(ClosedError):
            while not (self._is_over.wait(PERIOD) or self._crew.is_gone):
                self._client.waiting.glance()
