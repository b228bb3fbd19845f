"""How many items go into one message.

Pure.
A message costs some microseconds whatever is in it, so items that take less than that travel together; those that take long go one by
one, so that workers share them evenly and a death costs few.
"""

from __future__ import annotations

SECONDS = 0.001  # of work that one message may hold
SHARE = 2  # chunks for each worker that fit into what may be in flight
WEIGHT = 0.25  # of the newest measurement


class Chunks:
    """The size of the next chunk, from how long the items before took.

    It begins with 1, at most doubles from one measurement to the next, and never holds work for more than ``SECONDS`` as far as can be
    told, nor more items than leave two chunks for each worker among those that may be in flight.

    Attributes:
        size: Items in the next message.
    """

    def __init__(self, in_flight: int, workers: int) -> None:
        self.size = 1
        self._most = max(1, in_flight // (SHARE * workers))
        self._seconds = 0.0  # that an item takes; 0 as long as nothing is known

    def measured(self, count: int, seconds: float) -> None:
        """Learn that *count* items took *seconds*."""
        each = max(seconds / count, 1e-9)
        if self._seconds:
            each = WEIGHT * each + (1 - WEIGHT) * self._seconds
        self._seconds = each
        self.size = max(1, min(int(SECONDS / each), 2 * self.size, self._most))


class Single:
    """One item a message, whatever they take: each of them decides where it goes, or what is tried again."""

    size = 1

    def measured(self, count: int, seconds: float) -> None:
        """Take no notice."""
