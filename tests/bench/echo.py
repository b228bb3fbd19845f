"""The actor that is measured.

It imports nothing else: what an actor's module imports is paid by each of its processes.
"""

from __future__ import annotations

import os
import time

from actors import Actor


class Point:
    """Part of a message."""

    def __init__(self, x: int) -> None:
        self.x = x


class Echo(Actor):
    """Does nothing, in the ways that can be measured."""

    hits = 0

    def run_on(self, core: int | None) -> None:
        """Stay on one core, if one is named."""
        if core is not None:
            os.sched_setaffinity(0, {core})

    def echo(self, number: int) -> int:
        """Return what came."""
        return number

    def pid(self) -> int:
        """Return the process."""
        return os.getpid()

    def work(self, seconds: float) -> None:
        """Use the processor for *seconds*."""
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    def hit(self, _number: int) -> None:
        """Count a message."""
        self.hits += 1

    def see(self, _point: Point) -> None:
        """Count a message with an object in it."""
        self.hits += 1

    def look(self, _array: object) -> None:
        """Take something large."""

    def count(self) -> int:
        """Return how many messages came."""
        return self.hits
