"""The descriptors through which one loop waits for room in the mailboxes of others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from actors.runtime.route import Route

# Where no descriptor says that there is room, and for whatever holds up one that should.
LOOK_AGAIN_SECONDS = 0.1


class Rooms:
    """What one loop watches; empty almost always."""

    def __init__(
        self,
        watch: Callable[[int, Route], object],
        unwatch: Callable[[int], object],
    ) -> None:
        """Wait with *watch*, which calls ``leave`` when the descriptor is writable; *unwatch* ends that."""
        self._watch = watch
        self._unwatch = unwatch
        # Copies, because a loop watches a descriptor once, and a route that is closed closes its own.
        self.copies: dict[Route, int] = {}

    def follow(self, backlog: Iterable[Route]) -> None:
        """Watch for room for those in *backlog* that can tell, and for no others."""
        routes = set(backlog)
        for route in self.copies.keys() - routes:
            self.leave(route)
        for route in routes - self.copies.keys():
            fd = route.fileno()
            if fd is not None:
                self.copies[route] = copy = os.dup(fd)
                self._watch(copy, route)

    def leave(self, route: Route) -> None:
        """Watch for room for *route* no more."""
        copy = self.copies.pop(route, None)
        if copy is not None:
            self._unwatch(copy)
            os.close(copy)

    def leave_all(self) -> None:
        """Watch nothing any more."""
        for route in list(self.copies):
            self.leave(route)
