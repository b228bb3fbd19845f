"""How long to look for a message before sleeping.

Being woken costs about 66 µs across cores, seeing a store while looking well under 1 µs (architecture.md 4).
So a process that was just busy looks for a moment first, and stops doing so when looking has been in vain.
After that it tries again now and then with a longer look, long enough to outlast the other side's own wake-up:
two sides that both sleep between any two messages would otherwise never find out that both could stay awake.
"""

from __future__ import annotations

LOOK_NS = 50_000
PROBE_NS = 150_000
PATIENCE = 3  # looks in vain before it stops looking
FIRST_PERIOD = 8  # then every 8th time, doubling up to the last
LAST_PERIOD = 256


class Spin:
    """The policy of one waiting place; counts only, never looks at a clock."""

    __slots__ = ("_misses", "_period", "_skipped")

    def __init__(self) -> None:
        self._misses = 0
        self._period = FIRST_PERIOD
        self._skipped = 0

    def budget_ns(self) -> int:
        """Return how long to look now, 0 for not at all."""
        if self._misses < PATIENCE:
            return LOOK_NS
        self._skipped += 1
        if self._skipped < self._period:
            return 0
        self._skipped = 0
        return PROBE_NS

    def hit(self) -> None:
        """Note that looking found something."""
        self._misses = 0
        self._period = FIRST_PERIOD

    def miss(self) -> None:
        """Note that looking was in vain."""
        self._misses += 1
        if self._misses > PATIENCE:
            self._period = min(self._period * 2, LAST_PERIOD)
