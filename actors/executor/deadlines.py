"""When calls have to be over."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from typing import Any

from actors.executor.call import Call

MANY = 1000  # that are worth a look whether their calls are over


class Deadlines:
    """The deadlines of the calls of one executor that are not over, and of some that are."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Call[Any]]] = []
        self._serial = itertools.count()  # calls cannot be compared

    @property
    def next_due(self) -> float | None:
        """The first of them, a monotonic time."""
        return self._heap[0][0] if self._heap else None

    def add(self, call: Call[Any], due: float, still_open: int) -> None:
        """Enter that *call* has to be over at *due*; so many calls are *still_open*."""
        heapq.heappush(self._heap, (due, next(self._serial), call))
        # Most calls are over long before.
        if len(self._heap) > 2 * still_open + MANY:
            self._heap = [each for each in self._heap if not each[2].is_over]
            heapq.heapify(self._heap)

    def overdue(self, now: float) -> Iterator[Call[Any]]:
        """Take out what is due *now*, and yield what is not over."""
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2].is_over):
            _, _, call = heapq.heappop(self._heap)
            if not call.is_over:
                yield call
