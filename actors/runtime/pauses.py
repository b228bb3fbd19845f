"""For how long the two ends of a question were frozen: their deadlines do not run meanwhile.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

# From when to when a process was frozen, CLOCK_MONOTONIC in nanoseconds; 0 for an end that has not come yet.
Freeze = tuple[int, int]


class Page(Protocol):
    """Where it stands when a process was frozen."""

    def freezes(self) -> list[Freeze]:
        """Return when, in any order."""
        ...


def frozen_ns(freezes: Iterable[Freeze], since_ns: int, now_ns: int) -> int:
    """Return how long at least one of *freezes* lasted between *since_ns* and *now_ns*."""
    total, reached = 0, since_ns
    for begin, end in sorted(freezes):
        begin, end = max(begin, reached), min(end or now_ns, now_ns)  # noqa: PLW2901 - cut to what counts
        if end > begin:
            total += end - begin
            reached = end
    return total


def is_overdue(
    deadline_ns: int, sent_ns: int, now_ns: int, pages: Iterable[Page | None]
) -> bool:
    """Return whether the deadline of a question has passed, 0 for none; *pages* are those of its two ends, where there are any."""
    if not deadline_ns or now_ns < deadline_ns:
        return False
    freezes = [each for page in pages if page is not None for each in page.freezes()]
    return now_ns >= deadline_ns + frozen_ns(freezes, sent_ns, now_ns)
