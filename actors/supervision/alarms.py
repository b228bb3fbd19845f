"""Deadlines of a supervisor: one per key, on the monotonic clock; a later one replaces an earlier one."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

Key = tuple[str, int]  # what it is about, and the number of the actor, 0 for none


class Alarms:
    """What is due when."""

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._serial = 0

    def set(self, key: Key, due: float) -> None:
        """Make *key* due at *due*; ``math.inf`` never comes."""
        self._serial += 1
        self._due[key] = due
        heapq.heappush(self._heap, (due, self._serial, key))

    def clear(self, key: Key) -> None:
        """Forget *key*."""
        self._due.pop(key, None)

    def __contains__(self, key: Key) -> bool:
        """Return whether *key* is due some time."""
        return key in self._due

    def next_due(self) -> float | None:
        """Return when something is due next."""
        self._prune()
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> Iterator[Key]:
        """Yield and forget the keys that are due at *now*, earliest first."""
        while (due := self.next_due()) is not None and due <= now:
            key = heapq.heappop(self._heap)[2]
            del self._due[key]
            yield key

    def _prune(self) -> None:
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
