"""The starts of workers that have failed, one after the other: said once, to whoever made a call, or else in the log."""

from __future__ import annotations

from typing import Any

from actors.pending import Pending


class Failures:
    """Those since the last start that did not fail.

    What nobody has looked at is logged when it is let go of; so the first is held as long as somebody may still be told of it.

    Attributes:
        count: How many there are.
    """

    def __init__(self) -> None:
        self.count = 0
        self._first: Pending[Any] | None = None

    def add(self, start: Pending[Any]) -> None:
        """Enter a *start* that has failed; another one like the first is no news."""
        self.count += 1
        if self.count == 1:
            self._first = start
        else:
            start.failure()

    def tell(self) -> None:
        """Whoever has made a call is told."""
        if self._first is not None:
            self._first.failure()

    def log(self) -> None:
        """Nobody is told: others do the work."""
        self._first = None

    def clear(self) -> None:
        """A start has succeeded."""
        self.count = 0
        self._first = None
