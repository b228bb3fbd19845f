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
from actors.runtime.lanes import ROOT
from actors.runtime.outgoing import Outgoing
from actors.runtime.questions import Questions

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
        sent: tuple[Outgoing, Questions],
    ) -> None:
        """Write to *page*.

        Args:
            page: The actor's own.
            evidence: Shows the others.
            place: Says which handler runs, None where no handler does or in another thread.
            drain: Takes in the answers that have come.
            sent: What this process has asked.
        """
        self._page = page
        self._words = page.waits
        self._evidence = evidence
        self._place = place
        self._drain = drain
        self._outgoing, self._questions = sent
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
            # Of those that close a circle at once, one must see the others.
            with self._fence:
                pass
            cycle = self._evidence.deadlock(index)
            if cycle:
                pending.fail(DeadlockError(pending.target, pending.method, cycle))
                self._outgoing.withdraw(pending)
        return at

    def end(self, at: int) -> None:
        """The wait is over."""
        self._words[at + status.CORR] = 0

    def refuse_all(self) -> None:
        """Do what ``refuse`` does for each question that is open."""
        for pending in list(self._questions.open.values()):
            self.refuse(pending)

    def refuse(self, pending: Pending[Any]) -> None:
        """Fail a question to a sibling that waits for this process to end before it is started again."""
        mark = self._page.words[status.HOLDS_UP]
        route = self._outgoing.routes.get(getattr(pending, "number", ROOT))
        if not mark or route is None or route.page is None or not pending.corr:
            return
        if route.page.words[status.HELD_UP] != mark:
            return
        self._drain()  # it may have answered before it went down
        if not pending.done():
            cycle = self._page.name, f"{pending.target} (down until that is over)"
            pending.fail(DeadlockError(pending.target, pending.method, cycle))
            self._outgoing.withdraw(pending)
