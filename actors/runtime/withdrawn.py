"""Questions that nobody waits for any more: marked where whoever takes the message looks before it runs it.

The marks lie in the status page of the asker, who alone writes them; so a mark holds for every transport, costs the
asker two stores and the taker one load.
What has been taken before the mark is handled all the same.
"""

from __future__ import annotations

import threading

from actors.runtime import status


class Withdrawn:
    """The marks of one process."""

    def __init__(self, page: status.StatusPage) -> None:
        """Keep the marks in *page*, the process's own."""
        self._page = page
        # Questions and where their marks are; read where there is no time for a call.
        self.places: dict[int, int] = {}
        self._free = list(range(len(page.withdrawn)))
        self._lock = threading.Lock()

    def mark(self, corr: int) -> None:
        """Let question *corr* not be run, unless it has been taken."""
        with self._lock:
            if corr not in self.places:
                place = self.places[corr] = self._free.pop()
                # A mark does not move while it stands: a reader that goes through the table cannot miss it.
                self._page.withdrawn[place] = corr
                self._page.words[status.WITHDRAWN] = len(self.places)

    def unmark(self, corr: int) -> bool:
        """Take the mark away; False when there was none."""
        with self._lock:
            place = self.places.pop(corr, None)
            if place is None:
                return False
            self._page.withdrawn[place] = 0
            self._free.append(place)
            self._page.words[status.WITHDRAWN] = len(self.places)
            return True


def is_marked(page: status.StatusPage, corr: int) -> bool:
    """Return whether the process of *page* has withdrawn its question *corr*."""
    return corr in page.withdrawn.tolist()
