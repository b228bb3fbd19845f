"""How many items go into one message, and how many messages go out at once.

Pure.
A message costs some microseconds whatever is in it, and to be woken for an answer costs a hundred: so items travel together that take
less than ``SECONDS``, and, where it is known how many are left, than ``LONG_SECONDS``.
The more of them are left, the more may go together, and the last ones go one by one: so the workers finish at the same time, and as soon
as if all had gone one by one.

Source: guided self-scheduling, Polychronopoulos and Kuck, "Guided Self-Scheduling: A Practical Scheduling Scheme for Parallel
Supercomputers", 1987; here a chunk is a half of an equal share of what is left, and bounded.
"""

from __future__ import annotations

SECONDS = 0.001  # of work that one message may hold
LONG_SECONDS = (
    0.1  # where the end is in sight: nobody sees a result that comes so much later
)
SHARE = 2  # chunks for each worker, of what may be in flight and of what is left
WEIGHT = 0.25  # of the newest measurement


class Chunks:
    """The size of the next chunk, from how long the items before took.

    It begins with 1, at most doubles from one measurement to the next, and leaves two chunks for each worker among the items that may be
    in flight, and among those that are left.

    Attributes:
        size: Items in the next message.
        messages: How many may be in flight; None for any number. As long as it is not known what items take, two for each worker will
            do: what is sent meanwhile goes in messages that are too small.
    """

    def __init__(self, in_flight: int, workers: int, total: int | None = None) -> None:
        """Begin to learn.

        Args:
            in_flight: Items that may be in flight.
            workers: Who share them.
            total: Items there are; None where nobody knows, or where they must not wait for each other.
        """
        self.size = 1
        self.messages: int | None = None if total is None else SHARE * workers
        self._most = max(1, in_flight // (SHARE * workers))
        self._workers = workers
        self._left = total
        self._grown = 1  # what measurements allow so far
        self._seconds = 0.0  # that an item takes; 0 as long as nothing is known

    def measured(self, count: int, seconds: float) -> None:
        """Learn that *count* items took *seconds*."""
        each = max(seconds / count, 1e-9)
        if self._seconds:
            each = WEIGHT * each + (1 - WEIGHT) * self._seconds
        self._seconds = each
        self._grown = min(self._wanted(), 2 * self._grown)
        if self._grown == self._wanted():
            self.messages = None
        self._resize()

    def sent(self, count: int) -> None:
        """Learn that *count* items are on their way, or have failed to be."""
        if self._left is not None:
            self._left -= count
            self._resize()

    def hurry(self) -> None:
        """Let as many messages go out as may: what has gone takes so long that there is nothing to learn."""
        self.messages = None

    def _wanted(self) -> int:
        """Return what a chunk may hold, wherever the end is."""
        seconds = SECONDS if self._left is None else LONG_SECONDS
        return max(1, min(int(seconds / self._seconds), self._most))

    def _resize(self) -> None:
        self.size = self._grown
        if self._left is not None and self._seconds:
            short = int(SECONDS / self._seconds)
            share = self._left // (SHARE * self._workers)
            self.size = max(1, min(self._grown, max(short, share)))


class Single:
    """One item a message, whatever they take: each of them decides where it goes, or what is tried again."""

    size = 1
    messages = None

    def measured(self, count: int, seconds: float) -> None:
        """Take no notice."""

    def sent(self, count: int) -> None:
        """Take no notice."""

    def hurry(self) -> None:
        """Take no notice."""
