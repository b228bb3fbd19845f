"""What the handlers of this actor wait for, written where everybody can read it, and the alarm when they wait in a circle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from actors.errors import DeadlockError
from actors.pending import WAITING, Pending
from actors.runtime import status
from actors.runtime.evidence import PERHAPS, Evidence

# The slot of the handler that runs, and whether it is the handler itself and not a task that it has made.
Place = tuple[int, bool]


class Waits:
    """The waits of one actor."""

    def __init__(
        self,
        page: status.StatusPage,
        evidence: Evidence,
        place: Callable[[], Place | None],
        drain: Callable[[], object],
        withdraw: Callable[[Pending[Any]], None],
    ) -> None:
        """Write to *page*.

        Args:
            page: The actor's own.
            evidence: Shows the others.
            place: Says which handler runs, None where no handler does or in another thread.
            drain: Takes in the answers that have come.
            withdraw: Takes back a question.
        """
        self._words = page.waits
        self._evidence = evidence
        self._place = place
        self._drain = drain
        self._withdraw = withdraw
        self._fence = threading.Lock()

    def begin(self, pending: Pending[Any], *, has_timeout: bool = False) -> int | None:
        """Say that the running handler waits for *pending*; return what ``end`` needs.

        Fails *pending* with ``DeadlockError`` when that closes a circle.
        """
        place = self._place()
        if place is None or not pending.corr:
            return None
        self._drain()  # an answer that waits to be read would look like none
        if pending.state != WAITING:
            return None
        index, is_certain = place
        is_certain = is_certain and not has_timeout
        at = index * status.WAIT_WORDS
        words = self._words
        if words[at + status.CORR]:  # of several tasks of a handler the first is shown
            return None
        words[at + status.TARGET] = pending.number | (0 if is_certain else PERHAPS)
        words[at + status.SINCE] = time.monotonic_ns()
        words[at + status.CORR] = pending.corr
        if is_certain:
            with (
                self._fence
            ):  # of those that close a circle at once, one must see the others
                pass
            cycle = self._evidence.deadlock(index)
            if cycle:
                pending.fail(DeadlockError(pending.target, pending.method, cycle))
                self._withdraw(pending)
        return at

    def end(self, at: int) -> None:
        """The wait is over."""
        self._words[at + status.CORR] = 0
